"""Which readings are late, and what a wrong clock may move."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.fog.watermark import Watermark, follow

LATENESS = 10


def take(*times: int, mark: Watermark | None = None, exempt: tuple[int, ...] = ()) -> tuple[Watermark, list[int]]:
    """Return the watermark after some times, and those that were late."""
    mask = np.isin(np.arange(len(times)), exempt)
    after, late = follow(mark or Watermark(), np.array(times, np.int64), mask, LATENESS)
    return after, [time for time, is_late in zip(times, late, strict=True) if is_late]


def test_out_of_order_within_the_lateness_is_used_and_later_is_late() -> None:
    assert take(100, 105, 95, 110, 100, 99, 111) == (Watermark(111), [99])


def test_the_first_reading_is_confirmed_by_the_second() -> None:
    assert take(100) == (Watermark(None, 100), [])
    assert take(100, 101) == (Watermark(101), [])


@pytest.mark.parametrize("wrong", [10_000, 121])
def test_one_reading_with_a_fast_clock_makes_no_other_late(wrong: int) -> None:
    assert take(100, 110, wrong, 111, 112) == (Watermark(112), [])


def test_a_first_reading_with_a_fast_clock_makes_no_other_late() -> None:
    assert take(10_000, 100, 101, 102) == (Watermark(102), [])


def test_a_slow_clock_moves_nothing() -> None:
    assert take(100, 110, 3, 111) == (Watermark(111), [3])


def test_after_a_gap_two_readings_move_it() -> None:
    assert take(100, 101, 500, 501, 400, 491) == (Watermark(501), [400])


def test_readings_further_apart_than_the_lateness_confirm_each_other() -> None:
    assert take(100, 200, 300, 400) == (Watermark(300, 400), [])


def test_what_is_sent_again_on_purpose_is_never_late_and_moves_nothing() -> None:
    assert take(100, 110, 3, 9_000, 9_001, 111, exempt=(2, 3, 4)) == (Watermark(111), [])


@given(st.lists(st.integers(0, 60), max_size=30), st.integers(0, 30))
def test_batches_don_t_matter(times: list[int], cut: int) -> None:
    whole = take(*times)
    first, late = take(*times[:cut])
    second, more = take(*times[cut:], mark=first)
    assert (second, late + more) == whole


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 200)), max_size=8),
    st.sampled_from([0, 1, 7]),
)
def test_taken_many_at_once_it_is_as_one_by_one(stretches: list[tuple[int, int]], step: int) -> None:
    times = [first + step * number % 23 for first, n in stretches for number in range(n)]
    one_by_one, late = Watermark(), []
    for time in times:
        one_by_one, found = take(time, mark=one_by_one)
        late += found
    assert take(*times) == (one_by_one, late)
