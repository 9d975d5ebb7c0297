"""Which interval a round is for, and on which base: the rules that keep a branch one chain."""

import datetime as dt
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fogline.dag_ids import INITIALISE, ROUND, dag_id
from fogline.federation.settings import Federation
from fogline.messages.plan import Interval
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import (
    interval_at,
    interval_beginning,
    newest_complete_index,
)
from fogline.versions import Version


@dataclass(frozen=True)
class ChainLink:
    """A version on the head's ancestry; version 0 has no interval.

    Attributes
    ----------
    trained_on
        The branch whose round made it.
    """

    version: Version
    interval_index: int | None
    trained_on: str


@dataclass(frozen=True)
class Choice:
    """What a round trains.

    Attributes
    ----------
    base
        The version it starts from.
    is_on_chain
        Whether the interval has a model already, so that the round recomputes and compares.
    left_out
        Intervals between the head's and this one that were never announced; only a live run leaves out any.
    """

    interval: Interval
    base: Version
    is_on_chain: bool
    left_out: tuple[int, ...] = ()


class OutOfOrder(RoundRefused):
    """The interval would leave a gap.

    Attributes
    ----------
    needed
        The interval that the branch needs first.
    """

    def __init__(self, message: str, needed: Interval) -> None:
        super().__init__(message)
        self.needed = needed


def requested_interval(
    federation: Federation,
    *,
    manual_start: dt.datetime | None,
    run_start: dt.datetime | None,
    run_end: dt.datetime | None,
) -> Interval | None:
    """Return the interval that a run asks for, or None for "the first untrained one".

    Parameters
    ----------
    manual_start
        What a person put into the form.
    run_start, run_end
        The data interval of a scheduled or backfilled run. A manual run has none that means anything: the UI fills in
        the present moment.

    Raises
    ------
    RoundRefused
        The interval is not one of the federation's grid.
    """
    start = manual_start or run_start
    if start is None:
        return None
    interval = interval_beginning(federation, start.astimezone(dt.UTC))
    if manual_start is None and run_end is not None and run_end != interval.end:
        raise RoundRefused(
            f"the run's data interval of {run_end - start} from {start:%Y-%m-%d %H:%M} UTC is not one of the "
            f"federation's, which are {federation.interval} long; the interval that begins there is {interval}"
        )
    return interval


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
        Intervals after the head whose rounds ended without a model (skipped, refused or failed).
    requested
        The interval asked for; None takes the first untrained one.
    is_live
        A run of the live schedule may leave out intervals that were never announced: it goes on with the newest.

    Raises
    ------
    RoundRefused
        There is no head; or the interval is before the head and off the chain, or is not over yet.
    OutOfOrder
        The interval would leave a gap.
    """
    if not chain:
        raise RoundRefused(
            f"{federation.federation} has no model yet; run the DAG {dag_id(INITIALISE, federation.federation)}"
        )
    for base, link in itertools.pairwise(chain):
        if requested and link.interval_index == requested.index:
            return _recompute(federation, requested, base, link)
    head = chain[-1]
    first = -1 if head.interval_index is None else head.interval_index
    due = first_due(first, ended)
    interval = requested or interval_at(federation, due)
    left_out = tuple(index for index in range(due, interval.index) if index not in ended)
    if left_out and not is_live:
        raise _gap(federation, interval, left_out[0])
    if interval.index <= first:
        raise _behind(federation, interval, first, due)
    if interval.index > newest_complete_index(federation, now):
        raise RoundRefused(f"interval {interval.index} ({interval}) is not over yet; run it after its end")
    return Choice(interval, head.version, is_on_chain=False, left_out=left_out)


def first_due(last: int, ended: Collection[int]) -> int:
    """Return the first interval after number ``last`` (-1: after none) that has not ended without a model."""
    return next(index for index in range(last + 1, last + len(ended) + 2) if index not in ended)


def _recompute(federation: Federation, interval: Interval, base: ChainLink, link: ChainLink) -> Choice:
    if link.trained_on != federation.branch:
        raise RoundRefused(
            f"interval {interval.index} ({interval}) of {federation.branch} was trained on {link.trained_on}; "
            f"recompute it there, with the DAG {dag_id(ROUND, federation.federation, link.trained_on)}"
        )
    return Choice(interval, base.version, is_on_chain=True)


def _behind(federation: Federation, interval: Interval, first: int, due: int) -> RoundRefused:
    return RoundRefused(
        f"{federation.branch} is at interval {first} ({interval_at(federation, first)}); interval {interval.index} is "
        f"before it and has no model on the chain; the next one is {due} ({interval_at(federation, due)})"
    )


def _gap(federation: Federation, interval: Interval, due: int) -> OutOfOrder:
    needed = interval_at(federation, due)
    return OutOfOrder(
        f"interval {interval.index} would leave a gap: {federation.branch} needs interval {due} ({needed}) first; "
        "run that one",
        needed,
    )
