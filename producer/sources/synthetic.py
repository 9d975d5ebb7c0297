"""A wind farm that never was: a turbine's power curve in made-up weather with seasons, noise and slow drift."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from producer.noise import Floats, gaussian, smooth, stream_key
from producer.readings import (
    EVENT_TIME,
    EVENT_TIME_TYPE,
    N_READINGS_PER_BATCH,
    SENSOR,
    Cells,
    EventTimes,
    Source,
    Span,
    us_since_1970,
)

HOUR_S, DAY_S, YEAR_S = 3600.0, 86400.0, 365.25 * 86400.0

RATED_POWER_KW = 2050.0
STANDBY_POWER_KW = -4.0
ROTOR_AREA_M2 = np.pi * 41.0**2
POWER_COEFFICIENT = 0.42
CUT_IN_M_S, CUT_OUT_M_S = 3.0, 24.0


def synthetic(sensors: Sequence[str], every_s: float, seed: int) -> Source:
    """Make a source without end: each sensor reads at every multiple of a period since 1970.

    Without a start it begins now. A reading depends on seed, sensor and event time alone.

    Parameters
    ----------
    every_s
        The period between a sensor's readings, in seconds.
    """
    every_us = round(every_s * 1e6)
    names = sorted(sensors)

    def batches(span: Span) -> Iterator[pa.RecordBatch]:
        n_steps = max(1, N_READINGS_PER_BATCH // len(names))
        first = -(-us_since_1970(span.start or datetime.now(UTC)) // every_us)
        end = None if span.end is None else -(-us_since_1970(span.end) // every_us)
        while end is None or first < end:
            last = first + n_steps if end is None else min(first + n_steps, end)
            yield _farm(names, np.arange(first, last, dtype=np.int64) * every_us, seed)
            first = last

    arguments = {"sensors": names, "every_s": every_s, "seed": seed}
    return Source("synthetic", arguments, batches, as_clock=True)


def _farm(sensors: Sequence[str], times_us: EventTimes, seed: int) -> pa.RecordBatch:
    turbines = [_turbine(sensor, times_us, seed) for sensor in sensors]
    columns: dict[str, Cells] = {
        SENSOR: pa.array(list(sensors) * len(times_us), pa.string()),
        EVENT_TIME: pa.array(np.repeat(times_us, len(sensors)), pa.int64()).cast(EVENT_TIME_TYPE),
    }
    for name in turbines[0]:
        # Two decimals, as instruments give; it also hides the last bits, in which mathematics libraries differ.
        columns[name] = pa.array(np.stack([turbine[name] for turbine in turbines], axis=1).ravel().round(2))
    return pa.RecordBatch.from_pydict(columns)


def _turbine(sensor: str, times_us: EventTimes, seed: int) -> dict[str, Floats]:
    times_s = times_us / 1e6

    def slow(name: str, period_s: float) -> Floats:
        return smooth(stream_key(seed, sensor, name), times_s, period_s)

    def rough(name: str) -> Floats:
        return gaussian(stream_key(seed, sensor, name), times_us)

    free_wind, temperature, direction = _weather(times_s, seed)
    wind = free_wind * np.clip(1 + 0.03 * slow("site", DAY_S) + 0.07 * rough("turbulence"), 0.2, None)
    # Drift: the vane creeps out of true, and dirt on the blades costs up to eight per cent.
    vane_offset = 2.0 * slow("vane offset", 0.4 * YEAR_S)
    clean = 0.96 + 0.04 * np.tanh(slow("soiling", 0.5 * YEAR_S))
    return {
        "wind_speed": wind,
        "outdoor_temperature": temperature + 0.3 * rough("thermometer"),
        "vane_angle": vane_offset + 4.0 * rough("vane"),
        "wind_direction": (direction + vane_offset + 3.0 * rough("direction")) % 360,
        "power": _power_kw(wind, temperature) * clean * (1 + 0.02 * rough("power")) + STANDBY_POWER_KW,
    }


def _weather(times_s: Floats, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return free wind (m/s), air temperature (°C) and wind direction (°), shared by the whole farm."""

    def slow(name: str, period_s: float) -> Floats:
        return smooth(stream_key(seed, "weather", name), times_s, period_s)

    winter = np.cos(2 * np.pi * (times_s / YEAR_S - 0.04))
    afternoon = np.cos(2 * np.pi * (times_s / DAY_S - 0.6))
    strength = 0.8 * slow("front", 2.5 * DAY_S) + 0.5 * slow("hours", 6 * HOUR_S) + 0.33 * slow("gusts", 0.5 * HOUR_S)
    # The quantile function of Weibull's distribution (shape 2), with the logistic curve for the normal one.
    wind = 7.5 * (1 + 0.15 * winter) * np.sqrt(np.logaddexp(0, 1.702 * strength))
    temperature = 10.5 - 8.0 * winter + 4.0 * afternoon + 3.5 * slow("air mass", 4 * DAY_S)
    direction = 220 + 70 * slow("direction", 1.5 * DAY_S) + 15 * slow("veer", 3 * HOUR_S)
    return wind, temperature, direction


def _power_kw(wind: Floats, temperature: Floats) -> Floats:
    density = 101_325 / (287.05 * (temperature + 273.15))
    in_the_wind = 0.5 * density * ROTOR_AREA_M2 * POWER_COEFFICIENT * wind**3 / 1000
    limited = in_the_wind / (1 + (in_the_wind / RATED_POWER_KW) ** 6) ** (1 / 6)
    return np.where((wind >= CUT_IN_M_S) & (wind < CUT_OUT_M_S), limited, 0.0)
