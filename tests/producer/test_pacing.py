"""When a reading is due, by clocks that the test moves."""

from threading import Event

import numpy as np

from producer.pacing import LONGEST_WAIT_S, Pacer

TIMES_US = np.array([1000, 1010, 1020, 1030], dtype=np.int64) * 1_000_000


class Clock:
    """A clock that only the test moves."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def __call__(self) -> float:
        return self.at_s


class Waits(Event):
    """An event that notes how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout or 0.0)
        return self.is_set()


def pacer(speed: float, *, as_clock: bool = False) -> tuple[Pacer, Clock, Clock, Waits]:
    elapsed, now, waits = Clock(50.0), Clock(1015.0), Waits()
    made = Pacer(speed, as_clock=as_clock, stop=waits, elapsed_s=elapsed, now_s=now)
    return made, elapsed, now, waits


def test_without_limit_all_readings_are_due() -> None:
    assert pacer(float("inf"))[0].n_due(TIMES_US) == 4


def test_event_time_runs_at_the_factor_from_the_first_reading_on() -> None:
    paced, elapsed, _, _ = pacer(10.0)
    assert paced.n_due(TIMES_US) == 1
    elapsed.at_s += 1.0
    assert paced.n_due(TIMES_US) == 2
    elapsed.at_s += 1.9
    assert paced.n_due(TIMES_US) == 3


def test_wait_lasts_until_the_reading_is_due() -> None:
    paced, _, _, waits = pacer(10.0)
    paced.n_due(TIMES_US)
    paced.wait_for(int(TIMES_US[2]))
    assert waits.waited_s == [2.0]


def test_nothing_is_sent_ahead_of_the_clock_however_fast() -> None:
    paced, _, now, waits = pacer(float("inf"), as_clock=True)
    assert paced.n_due(TIMES_US) == 2
    paced.wait_for(int(TIMES_US[2]))
    now.at_s = 1030.0
    assert paced.n_due(TIMES_US) == 4
    assert waits.waited_s == [5.0]


def test_the_slower_of_factor_and_clock_decides() -> None:
    paced, elapsed, now, waits = pacer(1.0, as_clock=True)
    assert paced.n_due(TIMES_US) == 1
    elapsed.at_s += 100.0
    assert paced.n_due(TIMES_US) == 2
    now.at_s = 2000.0
    assert paced.n_due(TIMES_US) == 4
    assert not waits.waited_s


def test_a_long_wait_is_cut_so_that_a_changed_clock_is_seen() -> None:
    paced, _, _, waits = pacer(0.001)
    paced.n_due(TIMES_US)
    paced.wait_for(int(TIMES_US[3]))
    assert waits.waited_s == [LONGEST_WAIT_S]
