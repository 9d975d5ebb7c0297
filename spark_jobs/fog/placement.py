"""Tell which partitions of a topic fogs must read, where the federation declares how its producers place keys."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fogline.federation import Federation
from fogline.partitioners import partition_of
from spark_jobs.fog.errors import FogError
from spark_jobs.fog.folder import FogFolder

LOG = logging.getLogger("fog_node")


class Placement:
    """Where the keys of a topic lie by the declared partitioner.

    Only the federation's own sensors are looked at: others' records say nothing of where these lie.
    """

    def __init__(self, federation: Federation, topic: str, n_partitions: int) -> None:
        self._federation, self._topic, self.n_partitions = federation, topic, n_partitions
        self._partitioner = federation.partitioner(topic)
        self._places = {sensor: self._place(sensor) for sensor in federation.sensors_on(topic)}
        self._keys = pa.array([sensor.encode() for sensor in self._places], pa.binary())
        self._expected = np.array([*self._places.values()], np.int64)

    def partitions_for(self, fogs: Iterable[str]) -> list[int]:
        """Return the partitions that fogs must read: all for the one that looks after unknown keys."""
        own = {self._places[sensor] for fog in fogs for sensor in self._federation.fogs[fog].sensors}
        warden = self._federation.warden(self._topic)
        return list(range(self.n_partitions)) if warden in set(fogs) else sorted(own)

    def check(self, records: pa.Table) -> None:
        """Compare the places of a batch's keys with the declaration.

        Raises
        ------
        FogError
            A key lies where it can't be.
        """
        found = np.asarray(pc.index_in(records["key"].combine_chunks(), self._keys).fill_null(-1), np.int64)
        known = np.flatnonzero(found >= 0)
        wrong = known[np.asarray(records["partition"], np.int64)[known] != self._expected[found[known]]]
        if wrong.size:
            row = records.slice(int(wrong[0]), 1).to_pylist()[0]
            raise FogError(
                f"{self._topic}[{row['partition']}]: the record at offset {row['offset']} has the key "
                f"{row['key'].decode()}, and by topics.{self._topic}.partitioner: {self._partitioner} that lies in "
                f"partition {self._expected[found[wrong[0]]]} of {self.n_partitions}; declare the partitioner of the "
                "producers, or take it out of the federation's file: then all partitions are read"
            )

    def _place(self, sensor: str) -> int:
        assert self._partitioner is not None
        return partition_of(sensor.encode(), self.n_partitions, self._partitioner)


def placement_of(
    federation: Federation, topic: str, n_partitions: int, folders: Sequence[FogFolder]
) -> Placement | None:
    """Return where keys lie; None where nothing is declared, or they lie by more than one number of partitions."""
    if federation.partitioner(topic) is None:
        return None
    before = {folder.first_n_partitions(n_partitions) for folder in folders}
    if before != {n_partitions}:
        numbers = ", ".join(str(number) for number in sorted(before - {n_partitions}))
        LOG.warning(
            "%s has %d partitions and had %s, so keys lie by both: all of them are read", topic, n_partitions, numbers
        )
        return None
    return Placement(federation, topic, n_partitions)
