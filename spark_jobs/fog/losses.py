"""The offsets that a batch was to hold and that held no record any more: retention was faster than the fog.

Spark skips them with a warning and goes on; what it planned stands in its checkpoint before a batch begins. Counted
within the batch, so that its count is noted together with its readings, and again when it is replayed.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spark_jobs.fog.errors import FogError

Ints = npt.NDArray[np.int64]
FirstHeld = Callable[[Iterable[int]], Mapping[int, int]]


class Range(NamedTuple):
    """Offsets of a partition: from ``start`` up to ``end``, which is not in it."""

    start: int
    end: int


class Losses:
    """Counts what a fog's batches lack.

    Parameters
    ----------
    checkpoint
        Spark's, of a query with one source.
    topic
        The one that it reads.
    first_held
        Gives the first offsets that some of its partitions hold now, as far as they can be told.
    """

    def __init__(self, checkpoint: Path, topic: str, first_held: FirstHeld, fog: str) -> None:
        self._checkpoint, self._topic, self._first_held = checkpoint, topic, first_held
        self._log = logging.getLogger(fog)

    def count(self, batch_id: int, partitions: Ints, offsets: Ints) -> int:
        """Return how many records a batch lost, and say where.

        Parameters
        ----------
        partitions, offsets
            Where all its records lie, also those that are not for this fog, shape ``(n,)``.

        Raises
        ------
        FogError
            A partition ends before what was read of it.
        """
        starts, ends = self._offsets(batch_id - 1), self._offsets(batch_id)
        if batch_id == 0:
            self._say_where_it_begins(starts)
        # A partition that is added later begins at zero, whatever it has left.
        planned = {partition: Range(starts.get(partition, 0), end) for partition, end in ends.items()}
        for partition, start in starts.items():
            end = ends.get(partition, 0)
            if end < start:
                raise FogError(
                    f"{self._topic}[{partition}] ends at offset {end} and was read up to {start}: the topic was made "
                    f"anew; move {self._checkpoint} away to read it from its start (readings stay)"
                )
        found = {partition: offsets[partitions == partition] for partition in planned}
        short = {partition: one for partition, one in planned.items() if one.end - one.start > len(found[partition])}
        first_held = self._first_held(short) if short else {}
        n_lost = {p: n_missing(one, found[p], first_held.get(p)) for p, one in short.items()}
        for partition, n in n_lost.items():
            if n:
                self._say(partition, n, short[partition])
        return sum(n_lost.values())

    def _say(self, partition: int, n_lost: int, planned: Range) -> None:
        self._log.error(
            "%s[%d]: %d records of offsets %d to %d are lost: they expired before this fog read them",
            self._topic,
            partition,
            n_lost,
            planned.start,
            planned.end - 1,
        )

    def _say_where_it_begins(self, starts: Mapping[int, int]) -> None:
        for partition, start in sorted(starts.items()):
            if start:
                self._log.warning(
                    "%s[%d]: begins at offset %d; the records before it expired before this fog's first start",
                    self._topic,
                    partition,
                    start,
                )

    def _offsets(self, batch_id: int) -> dict[int, int]:
        file = self._checkpoint / "offsets" / str(batch_id) if batch_id >= 0 else self._checkpoint / "sources/0/0"
        # A version, for a batch its settings, and what the one source said.
        text = file.read_text().splitlines()[-1]
        return {int(partition): int(offset) for partition, offset in json.loads(text)[self._topic].items()}


def n_missing(planned: Range, found: Ints, first_held: int | None) -> int:
    """Return how many of the planned offsets have expired.

    Offsets from ``first_held`` on that held no record hold none for another reason, as markers of transactions do.
    """
    end = planned.end if first_held is None else min(planned.end, first_held)
    return max(0, end - planned.start - int((found < end).sum()))
