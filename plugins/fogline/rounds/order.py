"""Which interval a round is for, and on which base: the rules that keep a branch one chain."""

import datetime as dt
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fogline.federation.settings import Federation
from fogline.messages.plan import Interval
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import (
    interval_at,
    interval_beginning,
    newest_complete_index,
)


@dataclass(frozen=True)
class ChainLink:
    """A version on the head's ancestry; version 0 has no interval."""

    version: int
    interval_index: int | None


@dataclass(frozen=True)
class Choice:
    """The interval of a round, the version it starts from, and whether that interval is on the chain already."""

    interval: Interval
    base_version: int
    is_on_chain: bool


def requested_interval(
    federation: Federation,
    *,
    manual_start: dt.datetime | None,
    run_start: dt.datetime | None,
) -> Interval | None:
    """Return the interval that a run asks for, or None for "the first untrained one".

    Parameters
    ----------
    manual_start
        What a person put into the form.
    run_start
        The data interval's start of a scheduled or backfilled run. A manual run has none that means anything: the UI
        fills in the present moment.
    """
    start = manual_start or run_start
    return None if start is None else interval_beginning(federation, start.astimezone(dt.UTC))


def choose(
    federation: Federation,
    chain: Sequence[ChainLink],
    ended: Collection[int],
    requested: Interval | None,
    now: dt.datetime,
    *,
    is_live: bool = False,
) -> Choice:
    """Decide what a round trains.

    Parameters
    ----------
    chain
        The head's ancestry, from version 0 to the head.
    ended
        Intervals after the head whose rounds ended without a model (skipped or refused).
    requested
        The interval asked for; None takes the first untrained one.
    is_live
        A run of the live schedule may leave out intervals that were never announced: it goes on with the newest.

    Raises
    ------
    RoundRefused
        There is no head; or the interval is before the head and off the chain, leaves a gap, or is not over yet.
    """
    if not chain:
        raise RoundRefused(
            f"{federation.federation} has no model yet; run the DAG initialise_federation__{federation.federation}"
        )
    for base, link in itertools.pairwise(chain):
        if requested and link.interval_index == requested.index:
            return Choice(requested, base.version, is_on_chain=True)
    head = chain[-1]
    first = -1 if head.interval_index is None else head.interval_index
    due = next(index for index in range(first + 1, first + len(ended) + 2) if index not in ended)
    interval = requested or interval_at(federation, due)
    if not (is_live and interval.index > due):
        _refuse_wrong_order(federation, interval, first, due)
    if interval.index > newest_complete_index(federation, now):
        raise RoundRefused(f"interval {interval.index} ({interval}) is not over yet; run it after its end")
    return Choice(interval, head.version, is_on_chain=False)


def _refuse_wrong_order(federation: Federation, interval: Interval, first: int, due: int) -> None:
    needed = f"the next one is {due} ({interval_at(federation, due)})"
    if interval.index <= first:
        at = interval_at(federation, first)
        raise RoundRefused(
            f"{federation.branch} is at interval {first} ({at}); interval {interval.index} is before it and has no "
            f"model on the chain; {needed}"
        )
    if interval.index > due:
        raise RoundRefused(
            f"interval {interval.index} would leave a gap: {federation.branch} needs interval {due} "
            f"({interval_at(federation, due)}) first; run that one"
        )
