"""How far a sensor's readings are, and which are late; pure.

Each sensor has a watermark of its own, so that nobody's clock moves another's. It is the newest event time, but it
follows a jump ahead by more than the lateness only when a second reading confirms it: one reading with a wrong clock
moves nothing. A reading is late when it is older than its sensor's watermark by more than the lateness.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Watermark(NamedTuple):
    """A sensor's watermark and a jump that is not confirmed yet, in microseconds since 1970."""

    newest_us: int | None = None
    jump_us: int | None = None


def follow(watermark: Watermark, times_us: Times, exempt: Mask, lateness_us: int) -> tuple[Watermark, Mask]:
    """Take one sensor's readings in the order of their arrival.

    Parameters
    ----------
    times_us
        Event times, shape ``(n,)``, microseconds since 1970.
    exempt
        The readings that are never late, as those of a replay, shape ``(n,)``; they move nothing.

    Returns
    -------
    tuple
        The watermark after them, and which of them are late, shape ``(n,)``.
    """
    late = np.zeros(len(times_us), bool)
    moving = np.flatnonzero(~exempt)
    times = times_us[moving]
    if not times.size:
        return watermark, late
    if watermark.newest_us is not None and watermark.jump_us is None:
        before = np.maximum.accumulate(np.concatenate([[watermark.newest_us], times]))
        if (np.diff(before) <= lateness_us).all():
            late[moving] = times < before[:-1] - lateness_us
            return Watermark(int(before[-1])), late
    for place, time_us in zip(moving.tolist(), times.tolist(), strict=True):
        watermark, late[place] = _next(watermark, time_us, lateness_us)
    return watermark, late


def _next(watermark: Watermark, time_us: int, lateness_us: int) -> tuple[Watermark, bool]:
    newest, jump = watermark
    if newest is not None and time_us < newest - lateness_us:
        return watermark, True
    if newest is not None and time_us <= newest + lateness_us:
        return Watermark(max(newest, time_us)), False
    if jump is None or time_us < jump - lateness_us:
        return Watermark(newest, time_us), False
    if time_us <= jump + lateness_us:
        return Watermark(max(jump, time_us)), False
    # Where readings are further apart than the lateness, each one confirms the one before it.
    return Watermark(jump, time_us), False


def newest_of(watermarks: Mapping[str, Watermark]) -> dict[str, int]:
    """Return how far each sensor is that has a watermark."""
    return {sensor: one.newest_us for sensor, one in watermarks.items() if one.newest_us is not None}
