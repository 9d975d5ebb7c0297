"""When a reading is due: event time runs at a factor of real time, and never ahead of the clock where it must not."""

import math
import time
from collections.abc import Callable
from threading import Event

import numpy as np

from producer.readings import EventTimes

# The clock may be set, and the machine may sleep: a wait is never longer than this before it looks again.
LONGEST_WAIT_S = 5.0


class Pacer:
    """Says how many of the next readings are due, and waits for the first that is not.

    Parameters
    ----------
    speed
        Event seconds per real second, counted from the first reading asked about; infinite is as fast as possible.
    as_clock
        True when a reading is due only once the clock has reached its event time.
    stop
        Ends every wait at once.
    elapsed_s, now_s
        The monotonic clock and the clock since 1970, in seconds.
    """

    def __init__(
        self,
        speed: float,
        *,
        as_clock: bool,
        stop: Event,
        elapsed_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._speed = speed
        self._as_clock = as_clock
        self._stop = stop
        self._elapsed_s = elapsed_s
        self._now_s = now_s
        self._first: tuple[float, float] | None = None

    def n_due(self, event_times_us: EventTimes) -> int:
        """Return how many of the readings, given in order, are due now."""
        if self._first is None and len(event_times_us):
            self._first = (float(event_times_us[0]) / 1e6, self._elapsed_s())
        frontier_s = self._frontier_s()
        if math.isinf(frontier_s):
            return len(event_times_us)
        return int(np.searchsorted(event_times_us, frontier_s * 1e6, "right"))

    def wait_for(self, event_time_us: int) -> None:
        """Wait until about when a reading is due; the caller asks `n_due` again."""
        event_s = event_time_us / 1e6
        delays_s = [(event_s - self._paced_s()) / self._speed if math.isfinite(self._speed) else 0.0]
        if self._as_clock:
            delays_s.append(event_s - self._now_s())
        self._stop.wait(min(max(0.0, *delays_s), LONGEST_WAIT_S))

    def _frontier_s(self) -> float:
        return min(self._paced_s(), self._now_s()) if self._as_clock else self._paced_s()

    def _paced_s(self) -> float:
        if self._first is None or math.isinf(self._speed):
            return math.inf
        event_s, elapsed_s = self._first
        return event_s + (self._elapsed_s() - elapsed_s) * self._speed
