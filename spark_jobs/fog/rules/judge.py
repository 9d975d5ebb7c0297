"""Sorts a batch of records into readings and rejections, by the federation's rules alone."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fogline.federation.reading_rules import FieldRule, ReadingRules
from spark_jobs.fog.rules.faults import Fault, Rejection, RejectionKind, shown
from spark_jobs.fog.rules.moment import MomentRule, Times
from spark_jobs.fog.rules.number import ABSENT, Floats, NumberRule
from spark_jobs.fog.rules.quick import Quick, QuickReader
from spark_jobs.fog.rules.record import RecordParser, Values

STORED_TIME = pa.timestamp("us", "UTC")
# A whole batch as Python objects would take 25 MiB, and as many fogs as run in the process do it at once.
CHUNK = 8_192

Column = Sequence[Any]


@dataclass(frozen=True)
class Judged:
    """A batch, sorted out.

    Attributes
    ----------
    readings
        The readings in the store's columns, in the batch's order.
    rows
        Each reading's place in the batch, shape ``(n,)``.
    rejections
        In the batch's order.
    times_us
        Of each rejected record by its place, where its time could be read: microseconds since 1970.
    """

    readings: pa.Table
    rows: npt.NDArray[np.int64]
    rejections: list[Rejection]
    times_us: dict[int, int]


def store_schema(fields: Mapping[str, FieldRule]) -> pa.Schema:
    """Return the columns of the fog's store."""
    columns: list[pa.Field[Any]] = [
        pa.field("sensor_id", pa.string()),
        pa.field("event_time", STORED_TIME),
        *(pa.field(name, pa.float64()) for name in fields),
        pa.field("kafka_partition", pa.int32()),
        pa.field("kafka_offset", pa.int64()),
    ]
    return pa.schema(columns)


class ReadingJudge:
    """Sorts records into readings and rejections.

    A declared field that is absent or null is a missing value, unless it is required. A key that isn't declared is
    ignored: other federations may read the same topic.

    Parameters
    ----------
    sensors
        The fog's own; a record under any other key is of an unknown sensor.
    """

    def __init__(self, fields: Mapping[str, FieldRule], rules: ReadingRules, sensors: Iterable[str]) -> None:
        self._schema = store_schema(fields)
        self._sensors = {sensor.encode(): sensor for sensor in sensors}
        self._sensor_key = rules.sensor_key
        self._moment = MomentRule(rules.time)
        self._numbers = [NumberRule(name, rule) for name, rule in fields.items()]
        self._names = [(name, *rule.names) for name, rule in fields.items()]
        keys = [rules.sensor_key, rules.time.key, *(key for names in self._names for key in names)]
        self._quick = QuickReader(fields, rules, self._moment, list(self._sensors))
        self._parser = RecordParser(keys, rules.encoding, rules.max_bytes)

    def judge(self, records: pa.Table, now: dt.datetime) -> Judged:
        """Judge a batch of records.

        Parameters
        ----------
        records
            Columns ``key`` and ``value`` (binary; a value above the size limit may be cut), ``n_bytes`` (the value's
            whole size), ``partition`` and ``offset``.
        now
            The fog's clock.
        """
        latest_us = self._moment.latest_us(now)
        parts = []
        for start in range(0, records.num_rows, CHUNK):
            chunk = records.slice(start, CHUNK).combine_chunks()
            quick = self._quick.read(chunk, latest_us)
            parts.append(_placed(self._of_quick(chunk, quick), quick.rows + start))
            rest = np.setdiff1d(np.arange(chunk.num_rows), quick.rows, assume_unique=True)
            if rest.size:
                parts.append(_placed(self._by_rule(chunk.take(rest), latest_us), rest + start))
        return _joined(self._schema, parts)

    def _of_quick(self, records: pa.Table, quick: Quick) -> Judged:
        sensors = records.column("key").take(quick.rows).cast(pa.string())
        readings = self._table(records, sensors, quick.rows, quick.times_us, quick.values)
        return Judged(readings, np.arange(len(quick.rows)), [], {})

    def _by_rule(self, records: pa.Table, latest_us: int) -> Judged:
        keys: list[Any] = records.column("key").to_pylist()
        sensors = [self._sensors.get(key) for key in keys]
        rows, parsed, faults = self._parse(records, sensors)
        columns: list[Column] = list(zip(*parsed, strict=True)) or [()] * (2 + sum(map(len, self._names)))

        def note(found: Mapping[int, Fault]) -> None:
            for place, fault in found.items():
                faults.setdefault(rows[place], fault)

        note(self._other_sensors([sensors[row] for row in rows], columns[0]))
        times_us, time_faults = self._moment.column(columns[1], latest_us)
        note(time_faults)
        values = self._field_values(columns[2:], note)
        sound = np.array([place for place, row in enumerate(rows) if row not in faults], np.int64)
        at = np.asarray(rows, np.int64)[sound]
        refused = np.setdiff1d(np.arange(len(rows)), sound).tolist()
        known = {rows[place]: int(times_us[place]) for place in refused if place not in time_faults}
        return Judged(
            self._table(
                records, [sensors[row] for row in at.tolist()], at, times_us[sound], [one[sound] for one in values]
            ),
            at,
            [Rejection(row, faults[row]) for row in sorted(faults)],
            known,
        )

    def _parse(
        self, records: pa.Table, sensors: Sequence[str | None]
    ) -> tuple[list[int], list[Values], dict[int, Fault]]:
        """Return the rows of the records that could be parsed, their values, and the faults of the others by row."""
        rows: list[int] = []
        parsed: list[Values] = []
        faults: dict[int, Fault] = {}
        values: list[Any] = records.column("value").to_pylist()
        n_bytes: list[Any] = records.column("n_bytes").to_pylist()
        for row, found in enumerate(self._parser.rows(values, n_bytes)):
            if sensors[row] is None:
                faults[row] = _stranger(records.column("key")[row].as_py())
            elif isinstance(found, Fault):
                faults[row] = found
            else:
                rows.append(row)
                parsed.append(found)
        return rows, parsed, faults

    def _other_sensors(self, keys: Sequence[str | None], said: Column) -> dict[int, Fault]:
        if list(said) == keys:
            return {}
        return {
            place: self._other_sensor(key, sensor)
            for place, (key, sensor) in enumerate(zip(keys, said, strict=True))
            if sensor != key or not isinstance(sensor, str)
        }

    def _other_sensor(self, key: str | None, said: Any) -> Fault:
        field = self._sensor_key
        if said is ABSENT or said is None:
            what = "is absent" if said is ABSENT else "is null"
            return Fault(RejectionKind.MISSING, field, f"{field}: {what}; a reading needs its sensor's id")
        if not isinstance(said, str):
            return Fault(
                RejectionKind.WRONG_TYPE, field, f"{field}: {shown(said)} is not text; send the sensor's id as text"
            )
        return Fault(
            RejectionKind.OTHER_KEY,
            field,
            f"{field}: {shown(said)} is not the record's key, {shown(key)}; key records by sensor",
        )

    def _field_values(self, columns: Sequence[Column], note: Any) -> list[Floats]:
        values = []
        at = 0
        for names, rule in zip(self._names, self._numbers, strict=True):
            column = columns[at]
            if len(names) > 1:
                column, faults = _merged(names, columns[at : at + len(names)])
                note(faults)
            found, faults = rule.column(column)
            note(faults)
            values.append(found)
            at += len(names)
        return values

    def _table(
        self,
        records: pa.Table,
        sensors: "Sequence[str | None] | pa.ChunkedArray[Any]",
        rows: npt.NDArray[np.int64],
        times_us: Times,
        values: Sequence[Floats],
    ) -> pa.Table:
        where = [records.column(name).take(rows) for name in ("partition", "offset")]
        numbers = [pa.array(column, pa.float64(), from_pandas=True) for column in values]
        names = sensors if isinstance(sensors, pa.ChunkedArray) else pa.array(sensors, pa.string())
        columns = [names, pa.array(times_us).cast(STORED_TIME), *numbers, *where]
        return pa.table(dict(zip(self._schema.names, columns, strict=True))).cast(self._schema)


def _placed(judged: Judged, rows: npt.NDArray[np.int64]) -> Judged:
    """Return what was judged of some rows of a batch, by their places there."""
    rejections = [Rejection(int(rows[row]), fault) for row, fault in judged.rejections]
    times_us = {int(rows[row]): time_us for row, time_us in judged.times_us.items()}
    return Judged(judged.readings, rows[judged.rows], rejections, times_us)


def _joined(schema: pa.Schema, parts: Sequence[Judged]) -> Judged:
    """Return the parts of a batch as one, in its order."""
    readings = pa.concat_tables([schema.empty_table(), *(part.readings for part in parts)])
    rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part in parts)])
    if (np.diff(rows) < 0).any():
        order = np.argsort(rows)
        readings, rows = readings.take(order), rows[order]
    rejections = sorted((one for part in parts for one in part.rejections), key=lambda one: one.row)
    return Judged(readings, rows, rejections, {row: time for part in parts for row, time in part.times_us.items()})


def _merged(names: Sequence[str], columns: Sequence[Column]) -> tuple[Column, dict[int, Fault]]:
    """Return the one value that a field has under any of its names."""
    merged: list[Any] = []
    faults = {}
    for place, values in enumerate(zip(*columns, strict=True)):
        present = [(name, value) for name, value in zip(names, values, strict=True) if value is not ABSENT]
        merged.append(present[0][1] if present else ABSENT)
        if len(present) > 1:
            both = " and ".join(name for name, _ in present)
            reason = f"{names[0]}: it is there as {both}; send it under one name"
            faults[place] = Fault(RejectionKind.AMBIGUOUS_FIELD, names[0], reason)
    return merged, faults


def _stranger(key: bytes | None) -> Fault:
    if key is None:
        return Fault(RejectionKind.NO_KEY, "", "the record has no key; key records by sensor")
    reason = f"no fog of this topic has the sensor {shown(key)}; add it to one, or say readings.unknown_sensors: ignore"
    return Fault(RejectionKind.UNKNOWN_SENSOR, "", reason)
