import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogline.sums import Moments, ScoreSums

columns = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=30).map(lambda v: np.array(v, np.float64))


@given(columns, columns)
def test_merged_moments_are_those_of_all_values(left: np.ndarray, right: np.ndarray) -> None:
    merged = Moments.of(left).merge(Moments.of(right))
    both = Moments.of(np.concatenate([left, right]))
    assert (merged.n, merged.n_missing) == (both.n, both.n_missing)
    assert merged.mean == pytest.approx(both.mean, abs=1e-6)
    assert merged.m2 == pytest.approx(both.m2, rel=1e-9, abs=1e-3)


def test_a_column_that_does_not_vary_scales_by_one() -> None:
    assert Moments.of(np.full(5, 3.0)).sd == 1.0
    assert Moments.of(np.array([])).sd == 1.0


def test_scores_merge_to_those_of_all_rows() -> None:
    target = np.array([1.0, 2.0, 4.0, 8.0])
    error = np.array([0.5, -0.5, 1.0, 0.0])
    parts = [ScoreSums.of(error[:1], target[:1]), ScoreSums.of(error[1:], target[1:])]
    total = ScoreSums.total(parts)
    assert total == ScoreSums.of(error, target)
    assert total.rmse == pytest.approx(np.sqrt((error**2).mean()))
    assert total.r2 == pytest.approx(1 - (error**2).sum() / ((target - target.mean()) ** 2).sum())


def test_nothing_to_judge_has_no_metric() -> None:
    nothing = ScoreSums.total([ScoreSums(n=0), ScoreSums(n=0)])
    assert (nothing.rmse, nothing.r2, nothing.accuracy) == (None, None, None)
