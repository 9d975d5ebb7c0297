"""Tell what Spark planned for a batch, and which part of it is still new to a fog; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spark_jobs.fog.errors import FogError

Offsets = Mapping[int, int]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Range(NamedTuple):
    """Offsets of a partition: from ``start`` up to ``end``, which is not in it."""

    start: int
    end: int


@dataclass(frozen=True)
class Planned:
    """Where a batch begins and ends by partition; one that was added since the last batch has no start."""

    topic: str
    starts: Offsets
    ends: Offsets

    def left_for(self, position: Offsets, checkpoint: Path) -> dict[int, Range]:
        """Return what a fog has not taken yet, by partition.

        Parameters
        ----------
        position
            The fog's next offsets; empty before its first batch.
        checkpoint
            Named where the topic does not go on.

        Raises
        ------
        FogError
            A partition ends before what the fog read of it.
        """
        # A partition that is added later begins at zero, whatever it has left.
        begins = position or self.starts
        for partition, start in self.starts.items():
            end = self.ends.get(partition, 0)
            if end < min(start, begins.get(partition, 0)):
                raise ends_too_early(self.topic, partition, end, begins[partition], checkpoint)
        ranges = {partition: Range(begins.get(partition, 0), end) for partition, end in self.ends.items()}
        return {partition: one for partition, one in ranges.items() if one.start < one.end}

    def is_whole_for(self, position: Offsets) -> bool:
        """Tell whether a fog has taken nothing of it yet."""
        return all(position.get(partition, 0) <= self.starts.get(partition, 0) for partition in self.ends)


def within(ranges: Mapping[int, Range], partitions: Ints, offsets: Ints) -> Mask:
    """Return which records lie in the ranges, shape ``(n,)``."""
    inside = np.zeros(len(offsets), bool)
    for partition, one in ranges.items():
        inside |= (partitions == partition) & (offsets >= one.start)
    return inside


def lowest(positions: Iterable[Offsets], partitions: Iterable[int]) -> dict[int, int | None]:
    """Return the lowest of several fogs' positions by partition, None where one of them has none."""
    known = list(positions)
    return {p: min(one[p] for one in known) if all(p in one for one in known) else None for p in partitions}


def ends_too_early(topic: str, partition: int, end: int, position: int, checkpoint: Path) -> FogError:
    """Return what is said of a topic that is shorter than what was read of it."""
    return FogError(
        f"{topic}[{partition}] ends at offset {end} and was read up to {position}: the topic was made "
        f"anew; move {checkpoint} away to read it from its start (readings stay)"
    )
