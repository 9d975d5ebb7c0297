"""Ingest: turns a fog's records into stored readings and accounts for all others."""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from fogline.federation import Federation
from fogline.kafka.publish import Publisher
from fogline.kafka.quarantine import Quarantined
from fogline.kafka.topics import SENSOR_DATA_REJECTED
from spark_jobs.fog.arrivals import Arrived, arrive
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.held import HeldReadings
from spark_jobs.fog.metrics import FogMeter
from spark_jobs.fog.places import with_stored_partitions
from spark_jobs.fog.rules import Fault, Judged, ReadingJudge, Rejection, RejectionKind
from spark_jobs.fog.rules.moment import EPOCH, MICROSECOND
from spark_jobs.fog.state import KEPT, LOST, RECEIVED, Batch, FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.unused import DUPLICATE, LATE, SCHEMA, Clockless, UnusedRecords
from spark_jobs.fog.watermark import Watermark


@dataclass(frozen=True)
class FogParts:
    """What a fog's ingest works with."""

    federation: Federation
    name: str
    folder: FogFolder
    state: FogState
    store: ReadingStore
    unused: UnusedRecords
    meter: FogMeter
    judge: ReadingJudge = field(init=False)
    held: HeldReadings = field(init=False)

    def __post_init__(self) -> None:
        """Make the judge and what it compares with."""
        fields, sensors = self.federation.fields, self.federation.fogs[self.name].sensors
        object.__setattr__(self, "judge", ReadingJudge(fields, self.federation.readings, sensors))
        object.__setattr__(self, "held", HeldReadings(sensors, list(fields), self.store.read_day))

    @property
    def topic(self) -> str:
        """Where its readings arrive."""
        return self.federation.fogs[self.name].topic


class BatchWriter:
    """What happens to a fog's part of a micro-batch.

    1. Its records are counted and judged; the readings are compared with those that came before.
    2. New readings go to the store and the others to the account, under a name that a replay of the batch repeats.
    3. Rejected records go to the quarantine topic; if they can't, the batch fails and is replayed.
    4. Counts, progress and position are noted as one; only now may a plan rely on the readings.
    5. Dates that can get no more readings are merged.
    """

    def __init__(self, parts: FogParts, edge: Publisher) -> None:
        self.parts = self._parts = parts
        self._edge = edge
        self._log = logging.getLogger(parts.name)

    def write(self, records: pa.Table, n_lost: int, position: Mapping[int, int]) -> None:
        """Take the fog's part of a batch.

        Parameters
        ----------
        records
            Those of `source.selected` that are the fog's and that it has not taken yet, in order.
        n_lost
            How many had expired before they could be read.
        position
            The next offset by partition, after them.
        """
        parts, checkpoint = self._parts, self._parts.folder.checkpoint_id
        if not records.num_rows and not n_lost:
            parts.state.advance(checkpoint, position)
            return
        batch = Batch(checkpoint, parts.state.last_batch(checkpoint) + 1)
        before, on_kafka = parts.state.watermarks(batch), records
        records = with_stored_partitions(on_kafka, parts.folder.n_topics_before)
        judged = parts.judge.judge(records, dt.datetime.now(dt.UTC))
        replayed = np.asarray(records["replayed"].combine_chunks().to_numpy(zero_copy_only=False), bool)[judged.rows]
        arrived = arrive(judged.readings, replayed, before, parts.held, parts.federation.lateness)
        rejections = [*judged.rejections, *self._conflicts(judged, arrived)]
        name = f"{batch.checkpoint}-{batch.number}"
        parts.store.write(name, judged.readings.filter(pa.array(arrived.new)))
        unused = unused_rows(records, judged, arrived, rejections, before)
        parts.unused.write(name, unused)
        self._quarantine(on_kafka, rejections)
        tally = Counter(map(str, unused["verdict"].to_pylist()))
        tally |= Counter({RECEIVED: records.num_rows, KEPT: int(arrived.new.sum()), LOST: n_lost})
        parts.state.record_batch(batch, tally, arrived.watermarks, position)
        parts.meter.batch(tally)
        self._report(batch, tally, rejections)
        self._tidy()

    def _conflicts(self, judged: Judged, arrived: Arrived) -> list[Rejection]:
        at = np.flatnonzero(arrived.conflict)
        times: list[Any] = judged.readings["event_time"].take(at).to_pylist()
        key = self._parts.federation.readings.time.key
        return [
            Rejection(
                int(row),
                Fault(
                    RejectionKind.CONFLICT,
                    key,
                    f"{key}: an earlier reading of {time.isoformat()} has other values; the first one is kept",
                ),
            )
            for row, time in zip(judged.rows[at], times, strict=True)
        ]

    def _quarantine(self, records: pa.Table, rejections: Sequence[Rejection]) -> None:
        parts = self._parts
        rows = records.take(pa.array([one.row for one in rejections], pa.int64())).to_pylist() if rejections else []
        self._edge.publish(
            [
                Quarantined(
                    federation=parts.federation.federation,
                    fog=parts.name,
                    code=fault.kind,
                    field=fault.field,
                    reason=fault.reason,
                    topic=parts.topic,
                    partition=row["partition"],
                    offset=row["offset"],
                    n_bytes=row["n_bytes"],
                ).record(row["key"], row["value"])
                for row, (_, fault) in zip(rows, rejections, strict=True)
            ]
        )

    def _report(self, batch: Batch, tally: Counter[str], rejections: Sequence[Rejection]) -> None:
        others = ", ".join(f"{tally[name]} {name}" for name in (DUPLICATE, LATE) if tally[name])
        self._log.info(
            "batch %d: %d readings kept%s", batch.number, tally[KEPT], f", not kept: {others}" if others else ""
        )
        if rejections:
            reasons = Counter(f"{fault.field or 'record'}: {fault.kind}" for _, fault in rejections)
            shown = "; ".join(f"{n} x {reason}" for reason, n in reasons.most_common(3))
            self._log.warning(
                "batch %d: %d records quarantined to %s: %s; the first: %s",
                batch.number,
                len(rejections),
                SENSOR_DATA_REJECTED,
                shown,
                rejections[0].fault.reason,
            )

    def _tidy(self) -> None:
        newest = sorted(self._parts.state.progress.newest.values())
        if newest:
            # The middle one: neither a dead sensor nor one whose clock is fast decides when a date is over.
            for files in (self._parts.store, self._parts.unused):
                files.tidy(newest[len(newest) // 2])


def unused_rows(
    records: pa.Table, judged: Judged, arrived: Arrived, rejections: Iterable[Rejection], before: dict[str, Watermark]
) -> pa.Table:
    """Return a row for each record that did not become a reading, in the columns of `UnusedRecords`."""
    sensors, rows = [str(sensor) for sensor in judged.readings["sensor_id"].to_pylist()], judged.rows
    times_us = np.asarray(judged.readings["event_time"].cast(pa.int64()), np.int64)
    found: list[tuple[int, str, int, str]] = []
    for verdict, mask in ((DUPLICATE, arrived.duplicate), (LATE, arrived.late)):
        found += [(int(rows[at]), sensors[at], int(times_us[at]), verdict) for at in np.flatnonzero(mask)]
    clockless = Clockless(rows, sensors, times_us, before)
    own = dict(zip(rows[arrived.conflict].tolist(), times_us[arrived.conflict].tolist(), strict=True))
    readable, keys = {**judged.times_us, **own}, records["key"].combine_chunks()
    for row, fault in rejections:
        stranger = fault.kind in (RejectionKind.NO_KEY, RejectionKind.UNKNOWN_SENSOR)
        sensor = "" if stranger else keys[row].as_py().decode()
        time_us = readable[row] if row in readable else clockless.when_us(row, sensor)
        found.append((row, sensor, time_us, fault.kind.value))
    return _table(records, found)


def _table(records: pa.Table, found: Sequence[tuple[int, str, int, str]]) -> pa.Table:
    columns: list[Any] = [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
    at = records.select(["partition", "offset"]).take(pa.array(columns[0], pa.int64()))
    times = [EPOCH + time_us * MICROSECOND for time_us in columns[2]]
    arrays = [columns[1], times, columns[3], *(column.to_pylist() for column in at.columns)]
    return pa.table([pa.array(a, f.type) for a, f in zip(arrays, SCHEMA, strict=True)], schema=SCHEMA)
