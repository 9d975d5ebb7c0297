"""Readings in bulk: Arrow tables of sensor, event time and fields, and the JSON that they become on Kafka."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

SENSOR = "sensor_id"
EVENT_TIME = "event_time"
EVENT_TIME_TYPE = pa.timestamp("us", tz="UTC")

N_READINGS_PER_BATCH = 10_000

EventTimes = npt.NDArray[np.int64]
Cells: TypeAlias = "pa.Array[Any]"


@dataclass(frozen=True)
class Span:
    """A stretch of event time: the start belongs to it, the end does not; None is open."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Source:
    """A stream of readings in the order of event time, the same at every run.

    Parameters
    ----------
    name
        The source's kind.
    arguments
        What decides which readings it gives; a position belongs to the source with the same name and arguments.
    batches
        The readings of a span: `SENSOR` (string), `EVENT_TIME` (`EVENT_TIME_TYPE`), then fields (float64, null where
        missing, never NaN).
    as_clock
        True when its readings come into being as time passes, so that none may be sent ahead of the clock.
    """

    name: str
    arguments: Mapping[str, object]
    batches: Callable[[Span], Iterator[pa.RecordBatch]]
    as_clock: bool = False


def replay(table: pa.Table, span: Span) -> Iterator[pa.RecordBatch]:
    """Give the batches of a sorted table that lie in a span."""
    times = event_times_us(table)
    first = 0 if span.start is None else int(np.searchsorted(times, us_since_1970(span.start), "left"))
    last = len(times) if span.end is None else int(np.searchsorted(times, us_since_1970(span.end), "left"))
    yield from table.slice(first, max(0, last - first)).to_batches(N_READINGS_PER_BATCH)


def merged(tables: Sequence[pa.Table]) -> pa.Table:
    """Merge readings by event time, then sensor; readings equal in both keep their order.

    A field that one table lacks is missing there.
    """
    return pa.concat_tables(tables, promote_options="default").sort_by(
        [(EVENT_TIME, "ascending"), (SENSOR, "ascending")]
    )


def event_times_us(readings: pa.Table | pa.RecordBatch) -> EventTimes:
    """Return the event times in microseconds since 1970, shape (n,)."""
    return np.asarray(readings.column(EVENT_TIME).cast(pa.int64()))


def encode(batch: pa.RecordBatch) -> list[tuple[bytes, bytes]]:
    """Return each reading's key and JSON value; a missing field is left out.

    Whole columns become text at once: a Python dictionary and ``json.dumps`` a reading take five times as long.
    """
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    sensors = columns.pop(SENSOR).dictionary_encode()
    ids = sensors.dictionary.to_pylist()
    heads = pa.array([f'{{"{SENSOR}":{json.dumps(sensor)},"{EVENT_TIME}":"' for sensor in ids], pa.string())
    parts = [heads.take(sensors.indices), _iso(columns.pop(EVENT_TIME)), pa.scalar('"')]
    for name, column in columns.items():
        label = pa.scalar(f",{json.dumps(name)}:")
        parts.append(pc.binary_join_element_wise(label, column.cast(pa.string()), "").fill_null(""))
    values = pc.binary_join_element_wise(*parts, pa.scalar("}"), "").cast(pa.binary())
    keys = pa.array([sensor.encode() for sensor in ids], pa.binary()).take(sensors.indices)
    return list(zip(keys.to_pylist(), values.to_pylist(), strict=True))


def _iso(times: Cells) -> Cells:
    seconds = times.cast(pa.timestamp("s", tz="UTC"), safe=False)
    whole = seconds.cast(EVENT_TIME_TYPE).equals(times)
    # Arrow writes a space where ISO 8601 has a T; strftime would take as long as all the rest.
    return pc.binary_replace_slice((seconds if whole else times).cast(pa.string()), start=10, stop=11, replacement="T")


def us_since_1970(moment: datetime) -> int:
    """Return a moment in microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
