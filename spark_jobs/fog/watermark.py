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


# Taken at once where no clock jumps; ever more while none does.
N_AT_LEAST = 64


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
    times, at, n_at_once = times_us[moving], 0, N_AT_LEAST
    while at < len(times):
        watermark, late_ones = _calm(watermark, times[at : at + n_at_once], lateness_us)
        late[moving[at : at + len(late_ones)]] = late_ones
        at += len(late_ones)
        # Where clocks jump, not all that follows is looked at again for each jump.
        n_at_once = 4 * n_at_once if len(late_ones) == n_at_once else N_AT_LEAST
        if n_at_once == N_AT_LEAST and at < len(times):
            watermark, late[moving[at]] = _next(watermark, int(times[at]), lateness_us)
            at += 1
    return watermark, late


def _calm(watermark: Watermark, times: Times, lateness_us: int) -> tuple[Watermark, Mask]:
    """Take readings up to the first one that is ahead by more than the lateness; none while a jump is not confirmed."""
    if watermark.newest_us is None or watermark.jump_us is not None:
        return watermark, np.zeros(0, bool)
    before = np.maximum.accumulate(np.concatenate([[watermark.newest_us], times]))
    ahead = np.flatnonzero(np.diff(before) > lateness_us)
    n = int(ahead[0]) if ahead.size else len(times)
    late: Mask = times[:n] < before[:n] - lateness_us
    return Watermark(int(before[n])), late


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
