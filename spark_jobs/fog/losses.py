"""The offsets that a batch was to hold and that held no record any more: retention was faster than the fog.

Spark skips them with a warning and goes on; what it planned stands in its checkpoint before a batch begins. Counted
within the batch, so that its count is noted together with its readings, and again when it is replayed.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

from spark_jobs.fog.planned import Ints, Offsets, Range

FirstHeld = Callable[[Iterable[int]], Mapping[int, int]]


class Losses:
    """Counts what a fog's batches lack.

    Parameters
    ----------
    topic
        The one that it reads.
    first_held
        Gives the first offsets that some of its partitions hold now, as far as they can be told.
    """

    def __init__(self, topic: str, first_held: FirstHeld, fog: str) -> None:
        self._topic, self._first_held = topic, first_held
        self._log = logging.getLogger(fog)

    def count(self, planned: Mapping[int, Range], partitions: Ints, offsets: Ints) -> int:
        """Return how many records a batch lost, and say where.

        Parameters
        ----------
        planned
            What the fog was to take of the batch.
        partitions, offsets
            Where all the batch's records lie, also those that are not for this fog, shape ``(n,)``.
        """
        found = {p: offsets[(partitions == p) & (offsets >= one.start)] for p, one in planned.items()}
        short = {partition: one for partition, one in planned.items() if one.end - one.start > len(found[partition])}
        first_held = self._first_held(short) if short else {}
        n_lost = {p: n_missing(one, found[p], first_held.get(p)) for p, one in short.items()}
        for partition, n in n_lost.items():
            if n:
                self._say(partition, n, short[partition])
        return sum(n_lost.values())

    def say_where_it_begins(self, starts: Offsets) -> None:
        """Say what had expired before the fog's first start; nothing of it counts as lost."""
        for partition, start in sorted(starts.items()):
            if start:
                self._log.warning(
                    "%s[%d]: begins at offset %d; the records before it expired before this fog's first start",
                    self._topic,
                    partition,
                    start,
                )

    def _say(self, partition: int, n_lost: int, planned: Range) -> None:
        self._log.error(
            "%s[%d]: %d records of offsets %d to %d are lost: they expired before this fog read them",
            self._topic,
            partition,
            n_lost,
            planned.start,
            planned.end - 1,
        )


def n_missing(planned: Range, found: Ints, first_held: int | None) -> int:
    """Return how many of the planned offsets have expired.

    Offsets from ``first_held`` on that held no record hold none for another reason, as markers of transactions do.
    """
    end = planned.end if first_held is None else min(planned.end, first_held)
    return max(0, end - planned.start - int((found < end).sum()))
