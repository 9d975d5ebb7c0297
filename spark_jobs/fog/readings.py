"""Decides which records are readings; every other one is quarantined with the field and the reason."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from fogline.federation.settings import FieldRule

STORED_TIME = pa.timestamp("us", "UTC")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# What clocks of sensors may be ahead of the fog's: a reading from the future would count as progress.
MAX_AHEAD = dt.timedelta(minutes=5)
# A whole batch as Python objects would take 25 MiB, and as many fogs as run in the process do it at once.
CHUNK = 8_192
# Without the pattern pydantic takes "1388534400" for a time, in seconds or milliseconds by its size.
ISO_8601 = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d"


class RejectionKind(StrEnum):
    """Why records are no readings, by name: what can be counted."""

    NO_VALUE = "no_value"
    NOT_JSON = "not_json"
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    BAD_TIME = "bad_time"
    IMPLAUSIBLE_TIME = "implausible_time"
    OTHER_KEY = "other_key"


# pydantic's names; every other one is about the type.
KINDS = {
    "json_invalid": RejectionKind.NOT_JSON,
    "missing": RejectionKind.MISSING,
    "finite_number": RejectionKind.NOT_FINITE,
    "greater_than_equal": RejectionKind.OUT_OF_RANGE,
    "less_than_equal": RejectionKind.OUT_OF_RANGE,
    "event_time": RejectionKind.BAD_TIME,
}


@dataclass(frozen=True)
class Rejection:
    """Why a record is no reading; ``row`` is its place in the batch, ``field`` is empty for the record as a whole."""

    kind: RejectionKind
    row: int
    field: str
    reason: str


@dataclass(frozen=True)
class Judged:
    """A batch, sorted out: the readings in the store's columns, and the rejections, both in the batch's order."""

    readings: pa.Table
    rejections: list[Rejection]


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
    """Sorts records into readings and rejections by the declared types and ranges.

    A declared field that is absent or null is a missing value. A key that isn't declared is ignored: other federations
    may read the same topic.
    """

    def __init__(self, fields: Mapping[str, FieldRule]) -> None:
        self._fields = list(fields)
        self._schema = store_schema(fields)
        self._validate = _validator(fields).validate_json

    def judge(self, records: pa.Table, now: dt.datetime) -> Judged:
        """Judge a batch of records.

        Parameters
        ----------
        records
            Columns ``key`` (string), ``value`` (binary), ``partition`` and ``offset``.
        now
            The fog's clock; a reading dated more than `MAX_AHEAD` later is rejected.
        """
        starts = range(0, records.num_rows, CHUNK)
        parts = [self._judge_chunk(records.slice(start, CHUNK), start, now) for start in starts]
        readings = pa.concat_tables([self._schema.empty_table(), *(part.readings for part in parts)])
        return Judged(readings, [rejection for part in parts for rejection in part.rejections])

    def _judge_chunk(self, records: pa.Table, start: int, now: dt.datetime) -> Judged:
        rows, parsed, rejections = self._parse(records, start)
        event_time_us = _microseconds([reading["event_time"] for reading in parsed])
        latest_us = (now + MAX_AHEAD - EPOCH) // dt.timedelta(microseconds=1)
        early, late = event_time_us < 0, event_time_us > latest_us
        for place in np.flatnonzero(early | late):
            reason = "is before 1970" if early[place] else "is in the future; check the sensor's clock and zone"
            rejections.append(Rejection(RejectionKind.IMPLAUSIBLE_TIME, rows[place], "event_time", reason))
        kept = np.flatnonzero(~(early | late))
        readings = self._table(parsed, event_time_us).take(kept)
        where = records.select(["partition", "offset"]).take(np.asarray(rows, np.int64)[kept] - start)
        for column in where.columns:
            readings = readings.append_column("", column)
        readings = readings.rename_columns(self._schema.names).cast(self._schema)
        return Judged(readings, sorted(rejections, key=lambda rejection: rejection.row))

    def _parse(self, records: pa.Table, start: int) -> tuple[list[int], list[dict[str, Any]], list[Rejection]]:
        rows: list[int] = []
        parsed: list[dict[str, Any]] = []
        rejections: list[Rejection] = []
        keys, values = records.column("key").to_pylist(), records.column("value").to_pylist()
        for row, (key, value) in enumerate(zip(keys, values, strict=True), start):
            if value is None:
                rejections.append(Rejection(RejectionKind.NO_VALUE, row, "", "the record has no value"))
                continue
            try:
                reading = self._validate(value)
            except ValidationError as error:
                rejections.append(_rejection(row, error))
                continue
            if reading["sensor_id"] != key:
                rejections.append(Rejection(RejectionKind.OTHER_KEY, row, "sensor_id", "is not the record's key"))
                continue
            rows.append(row)
            parsed.append(reading)
        return rows, parsed, rejections

    def _table(self, parsed: list[dict[str, Any]], event_time_us: npt.NDArray[np.int64]) -> pa.Table:
        names = ["sensor_id", *self._fields]
        columns = list(zip(*map(itemgetter(*names), parsed), strict=True)) or [()] * len(names)
        arrays = [pa.array(list(columns[0]), pa.string()), pa.array(event_time_us, STORED_TIME)]
        arrays += [pa.array(list(column), pa.float64()) for column in columns[1:]]
        return pa.table(arrays, names=["sensor_id", "event_time", *self._fields])


def _validator(fields: Mapping[str, FieldRule]) -> SchemaValidator:
    event_time = cs.custom_error_schema(
        cs.chain_schema(
            [cs.str_schema(strict=True, pattern=ISO_8601), cs.datetime_schema(strict=False, tz_constraint="aware")]
        ),
        custom_error_type="event_time",
        custom_error_message="Input should be ISO 8601 with a zone, such as 2026-01-31T12:00:00+01:00",
    )
    numbers = {
        name: cs.with_default_schema(
            cs.nullable_schema(cs.float_schema(strict=True, allow_inf_nan=False, ge=rule.min, le=rule.max)),
            default=None,
        )
        for name, rule in fields.items()
    }
    parts: dict[str, cs.CoreSchema] = {"sensor_id": cs.str_schema(strict=True), "event_time": event_time, **numbers}
    return SchemaValidator(
        cs.typed_dict_schema({name: cs.typed_dict_field(part) for name, part in parts.items()}, extra_behavior="ignore")
    )


def _rejection(row: int, error: ValidationError) -> Rejection:
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    kind = KINDS.get(fault["type"], RejectionKind.WRONG_TYPE)
    return Rejection(kind, row, ".".join(str(part) for part in fault["loc"]), fault["msg"])


def _microseconds(times: list[dt.datetime]) -> npt.NDArray[np.int64]:
    return np.asarray(pa.array(times, STORED_TIME).cast(pa.int64()))
