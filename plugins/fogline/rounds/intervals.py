"""Intervals: the federation's grid over event time, anchored at its start."""

import datetime as dt

from fogline.federation.settings import Federation, Specification
from fogline.messages.plan import EventTimeSpan, Interval
from fogline.rounds.errors import RoundRefused


def interval_at(specification: Specification, index: int) -> Interval:
    """Return interval number ``index``; number 0 begins at the federation's start."""
    start = specification.start + index * specification.interval
    return Interval(index=index, start=start, end=start + specification.interval)


def interval_beginning(federation: Federation, start: dt.datetime) -> Interval:
    """Return the interval that begins at ``start``.

    Raises
    ------
    RoundRefused
        No interval of the federation's grid begins there; names the nearest one that does.
    """
    steps = (start - federation.start) / federation.interval
    index = round(steps)
    nearest = interval_at(federation, max(index, 0))
    if steps < 0:
        raise RoundRefused(
            f"{start:%Y-%m-%d %H:%M} UTC is before the federation's start; its first interval is {nearest}"
        )
    if federation.start + index * federation.interval != start:
        raise RoundRefused(
            f"{start:%Y-%m-%d %H:%M} UTC is not on the federation's grid of {federation.interval}; "
            f"the nearest interval is {nearest}"
        )
    return nearest


def newest_complete_index(specification: Specification, now: dt.datetime) -> int:
    """Return the number of the last interval that has ended by ``now``; -1 when none has."""
    return (now - specification.start) // specification.interval - 1


def training_window(specification: Specification, interval: Interval) -> EventTimeSpan:
    """Return the window of a round: the last ``window`` up to the interval's end, not before the federation's start."""
    return EventTimeSpan(
        start=max(specification.start, interval.end - specification.window),
        end=interval.end,
    )
