"""The records that did not become readings, by verdict and date: what makes each fog's account balance."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_jobs.fog.dated_files import DatedFiles, first_of_each
from spark_jobs.fog.rules.judge import STORED_TIME
from spark_jobs.fog.watermark import Watermark, newest_of

DUPLICATE, LATE = "duplicate", "late"
_COLUMNS: "list[pa.Field[Any]]" = [
    pa.field("sensor_id", pa.string()),
    pa.field("event_time", STORED_TIME),
    pa.field("verdict", pa.string()),
    pa.field("kafka_partition", pa.int32()),
    pa.field("kafka_offset", pa.int64()),
]
SCHEMA = pa.schema(_COLUMNS)


class UnusedRecords(DatedFiles):
    """One row per record: its sensor (empty where it has none), when it counts, and its verdict.

    The verdict is a `RejectionKind`, `DUPLICATE` or `LATE`.
    """

    def __init__(self, folder: Path, lateness: dt.timedelta) -> None:
        super().__init__(folder, SCHEMA, lateness, _distinct)


def _distinct(rows: pa.Table) -> pa.Table:
    return first_of_each(rows, ("kafka_partition", "kafka_offset"), ("verdict",))


class Clockless:
    """When a record counts whose own time can't be read: at its sensor's newest reading before it.

    Parameters
    ----------
    rows
        The places of the batch's readings, in order, shape ``(n,)``.
    sensors
        Their sensors.
    times_us
        Their event times.
    before
        The watermarks before the batch.
    """

    def __init__(
        self,
        rows: npt.NDArray[np.int64],
        sensors: Sequence[str],
        times_us: npt.NDArray[np.int64],
        before: Mapping[str, Watermark],
    ) -> None:
        self._rows, self._times_us, self._newest = rows, times_us, newest_of(before)
        self._sensors = np.array(sensors, object)
        # Only those that are asked for: most batches have none, and a fog may have many sensors.
        self._by_sensor: dict[str, npt.NDArray[np.int64]] = {}

    def when_us(self, row: int, sensor: str) -> int:
        """Return when it counts, in microseconds since 1970; 0 where its sensor (or the fog) has no reading yet."""
        if sensor not in self._by_sensor:
            self._by_sensor[sensor] = np.flatnonzero((self._sensors == sensor) | (sensor == ""))
        own = self._by_sensor[sensor]
        before = int(np.searchsorted(self._rows[own], row))
        if before:
            return int(self._times_us[own[before - 1]])
        newest = self._newest.get(sensor) if sensor else max(self._newest.values(), default=None)
        if newest is not None:
            return newest
        return int(self._times_us[own[0]]) if own.size else 0
