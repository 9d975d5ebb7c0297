"""Readings, stores and plans for the fog's tests."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fogline.federation import Federation
from fogline.messages.plan import EventTimeSpan
from fogline.scaling import Scale, Scaler
from spark_jobs.fog.rules import store_schema
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.unused import UnusedRecords
from tests.support.federations import small_federation

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def federation(folder: Path, **changes: Any) -> Federation:
    """Two fogs of two sensors; y is learned from x."""
    fogs = {"fog-a": {"sensors": ["s1", "s3"]}, "fog-b": {"sensors": ["s2"]}}
    return small_federation(folder, **{"fogs": fogs, "held_out_share": 0.0, **changes})


def at(day: float) -> dt.datetime:
    """Return a time so many days after the federation's start."""
    return START + day * DAY


def span(first: float, end: float) -> EventTimeSpan:
    """Return a stretch of days."""
    return EventTimeSpan(start=at(first), end=at(end))


def readings(
    own: Federation, sensor: str, days: Sequence[float], x: Sequence[float | None], offset: int = 0
) -> pa.Table:
    """Return readings as they are stored, with y = 2x + 1."""
    n = len(days)
    y = [None if value is None else 2 * value + 1 for value in x]
    columns = [[sensor] * n, [at(day) for day in days], list(x), y, [0] * n, list(range(offset, offset + n))]
    schema = store_schema(own.fields)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def line(own: Federation, sensor: str, first: int, end: int, per_day: int = 24, offset: int = 0) -> pa.Table:
    """Return readings at even steps over days ``first`` to ``end``, with varied x."""
    days = [first + i / per_day for i in range((end - first) * per_day)]
    x = np.random.default_rng(len(sensor) + first).uniform(-1, 1, len(days))
    return readings(own, sensor, days, x.tolist(), offset)


def store(own: Federation, folder: Path) -> ReadingStore:
    """Open a store."""
    return ReadingStore(folder / "readings", own.fields, own.lateness)


def unused(own: Federation, folder: Path) -> UnusedRecords:
    """Open the account of the records that are no readings."""
    return UnusedRecords(folder / "unused", own.lateness)


def unit_scaler() -> Scaler:
    """Return a scaler that changes nothing."""
    return Scaler(features={"x": Scale(mean=0, sd=1)}, target=Scale(mean=0, sd=1))
