"""What is odd about the readings of a window: stuck fields, gaps and switches of the unit.

A null is no value: it neither ends a stretch of equal values nor belongs to one. A gap in a sensor's readings ends such
a stretch, as nothing is known of the time between. `unit_switch` says when a field goes over into another unit.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fogline.features import column_values
from fogline.federation.reading_rules import FieldRule, Flag, ReadingRules
from fogline.messages.account import SensorFlag
from fogline.messages.plan import EventTimeSpan
from spark_jobs.fog.rules.moment import EPOCH, MICROSECOND, Times
from spark_jobs.fog.unit_switch import Values, switches

# Two equal values may be chance, however far apart they are.
N_ALIKE = 3


def flags_of(
    readings: pa.Table,
    fields: Mapping[str, FieldRule],
    rules: ReadingRules,
    window: EventTimeSpan,
    sensors: Sequence[str],
) -> tuple[SensorFlag, ...]:
    """Return what is odd about each sensor's readings.

    Parameters
    ----------
    readings
        Those in the window, in the columns of `fogline.features.reading_schema`, ordered by sensor and event time.
    sensors
        Those that readings are expected from; of others nothing is said.

    Returns
    -------
    tuple of SensorFlag
        In the order of sensor, flag, field and unit; at most one for each of these.
    """
    names = sorted(set(sensors))
    readings = readings.filter(pc.is_in(readings["sensor_id"], value_set=pa.array(names, pa.string())))
    times_us = np.asarray(readings["event_time"].cast(pa.int64()), np.int64)
    columns = {name: column_values(readings, name) for name in sorted(fields)}
    ends = _ends(readings, names)
    gap_us = None if rules.gap_after is None else rules.gap_after // MICROSECOND
    found: list[SensorFlag] = []
    for sensor, start, end in zip(names, [0, *ends], ends, strict=False):
        own_times = times_us[start:end]
        found += _gaps(sensor, own_times, window, gap_us)
        for name, column in columns.items():
            values = column[start:end]
            found += _stuck(sensor, name, own_times, values, fields[name], gap_us)
            found += _unit_switches(sensor, name, own_times, values, fields[name])
    return tuple(sorted(found, key=lambda one: (one.sensor_id, one.flag, one.field, one.unit or "")))


def _ends(readings: pa.Table, sensors: Sequence[str]) -> list[int]:
    """Return where the rows of each sensor end."""
    numbers = pc.index_in(readings["sensor_id"], value_set=pa.array(sensors, pa.string())).to_numpy()
    return [int(end) for end in np.searchsorted(numbers, np.arange(len(sensors)), "right")]


def _gaps(sensor: str, times_us: Times, window: EventTimeSpan, gap_us: int | None) -> Iterator[SensorFlag]:
    if gap_us is None:
        return
    bounds = [(moment - EPOCH) // MICROSECOND for moment in (window.start, window.end)]
    moments = np.concatenate([bounds[:1], times_us, bounds[1:]])
    lasts_us = np.diff(moments)
    at = np.flatnonzero(lasts_us > gap_us)
    if len(at):
        yield _flag("gap", sensor, "", moments[at], lasts_us[at])


def _stuck(
    sensor: str, field: str, times_us: Times, values: Values, rule: FieldRule, gap_us: int | None
) -> Iterator[SensorFlag]:
    is_value = ~np.isnan(values)
    if rule.stuck_after is None or not is_value.any():
        return
    times, known = times_us[is_value], values[is_value]
    stretch = np.zeros(len(times_us), np.int64)
    if gap_us is not None:
        stretch[1:] = np.cumsum(np.diff(times_us) > gap_us)
    changes = (known[1:] != known[:-1]) | np.diff(stretch[is_value]).astype(bool)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    ends = np.concatenate([starts[1:], [len(known)]])
    lasts_us = times[ends - 1] - times[starts]
    at = np.flatnonzero((lasts_us >= rule.stuck_after // MICROSECOND) & (ends - starts >= N_ALIKE))
    if len(at):
        yield _flag("stuck", sensor, field, times[starts[at]], lasts_us[at])


def _unit_switches(sensor: str, field: str, times_us: Times, values: Values, rule: FieldRule) -> Iterator[SensorFlag]:
    if not rule.other_units:
        return
    is_value = ~np.isnan(values)
    times, known = times_us[is_value], values[is_value]
    for name, unit in rule.other_units.items():
        at = switches(known, unit)
        if len(at):
            yield SensorFlag(
                flag="unit_switch",
                sensor_id=sensor,
                field=field,
                first=_moment(times[at[0]]),
                n_times=len(at),
                unit=name,
            )


def _flag(flag: Flag, sensor: str, field: str, starts_us: Times, lasts_us: Times) -> SensorFlag:
    return SensorFlag(
        flag=flag,
        sensor_id=sensor,
        field=field,
        first=_moment(starts_us[0]),
        n_times=len(starts_us),
        longest_s=int(lasts_us.max()) / 1e6,
    )


def _moment(time_us: np.int64) -> dt.datetime:
    return EPOCH + int(time_us) * MICROSECOND
