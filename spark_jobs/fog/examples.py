"""From readings to rows: features and target with what decides where a row may be used."""

import datetime as dt
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fogline import features
from fogline.canonical import sha256_hex
from fogline.features import column_values
from fogline.federation.settings import Specification
from fogline.holdout import is_held_out
from fogline.messages.answer import SensorDay
from fogline.messages.plan import EventTimeSpan

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Rows in the order of sensor and event time.

    Attributes
    ----------
    sensor
        Shape ``(n,)``, text.
    event_time
        Shape ``(n,)``, datetime64[us] in UTC.
    columns
        Features and target by name, each of shape ``(n,)``, in their own units; NaN is missing.
    target
        The target's column.
    held_out
        Whether the row's day is held out of training.
    """

    sensor: npt.NDArray[np.object_]
    event_time: npt.NDArray[np.datetime64]
    columns: dict[str, Floats]
    target: Floats
    held_out: Mask

    def __len__(self) -> int:
        return self.event_time.size

    def where(self, mask: Mask) -> Self:
        """Return the rows of a mask."""
        columns = {name: column[mask] for name, column in self.columns.items()}
        return type(self)(self.sensor[mask], self.event_time[mask], columns, self.target[mask], self.held_out[mask])

    def within(self, span: EventTimeSpan) -> Self:
        """Return the rows in a stretch of event time."""
        return self.where((self.event_time >= _datetime64(span.start)) & (self.event_time < _datetime64(span.end)))

    def with_target(self) -> Self:
        """Return the rows that have a target."""
        return self.where(~np.isnan(self.target))


def rows_of(readings: pa.Table, specification: Specification) -> Rows:
    """Compute features and target of readings (columns as `fogline.features.reading_schema`)."""
    target = specification.target
    table = features.compute(readings, {**specification.features, target.name: target.expression})
    columns = {name: _finite(table, name) for name in (*specification.features, target.name)}
    event_time = table["event_time"].to_numpy()
    held_out = _held_out(table, event_time, specification)
    # One object a sensor, not one a row.
    sensor = table["sensor_id"].combine_chunks().dictionary_encode()
    names = np.array(sensor.dictionary.to_pylist(), object)[sensor.indices.to_numpy()]
    return Rows(names, event_time, columns, columns[target.name], held_out)


def sensor_days(readings: pa.Table) -> tuple[SensorDay, ...]:
    """Digest readings by sensor and UTC day, so that two computations can tell whether they read the same.

    The digest covers the event times (int64 microseconds) and each field (float64, missing is NaN), little-endian.
    """
    found = []
    names = [name for name in readings.column_names if name not in features.KEY_COLUMNS]
    for sensor, rows in _by_sensor(readings):
        table = readings.take(rows)
        times = table["event_time"].to_numpy().astype("datetime64[us]")
        columns = [times.astype("<i8"), *(column_values(table, name).astype("<f8") for name in names)]
        days = times.astype("datetime64[D]")
        for day in np.unique(days):
            at = days == day
            digest = sha256_hex(b"".join(column[at].tobytes() for column in columns))
            found.append(SensorDay(sensor_id=sensor, date=day.item(), n_readings=int(at.sum()), sha256=digest))
    return tuple(found)


def _finite(table: pa.Table, name: str) -> Floats:
    # ln(0) and its like are no value a mean could be made of.
    values = column_values(table, name)
    return np.where(np.isfinite(values), values, np.nan)


def _held_out(table: pa.Table, event_time: npt.NDArray[np.datetime64], specification: Specification) -> Mask:
    mask = np.zeros(event_time.size, bool)
    days = event_time.astype("datetime64[D]")
    for sensor, rows in _by_sensor(table):
        for day in np.unique(days[rows]):
            if is_held_out(specification.seed, sensor, day.item(), specification.held_out_share):
                mask[rows[days[rows] == day]] = True
    return mask


def _by_sensor(table: pa.Table) -> list[tuple[str, npt.NDArray[np.int64]]]:
    encoded = table["sensor_id"].combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    sensors = [str(sensor) for sensor in encoded.dictionary.to_pylist()]
    return [(sensor, np.flatnonzero(codes == code)) for code, sensor in enumerate(sensors)]


def _datetime64(time: dt.datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(dt.UTC).replace(tzinfo=None), "us")
