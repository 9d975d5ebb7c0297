"""What every aggregation rule must do, whatever it computes, and what each one computes."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spark_jobs.aggregation.rules import RULES, Rule
from spark_jobs.aggregation.rules.weighted_mean import weighted_mean

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())

Case = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Updates of some fogs with their numbers of examples, at least one of which is positive."""
    n_fogs, n_columns = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    updates = draw(arrays(np.float32, (n_fogs, n_columns), elements=finite))
    n_examples = draw(arrays(np.int64, n_fogs, elements=st.integers(0, 10**9)).filter(lambda n: n.sum() > 0))
    return updates, n_examples


@every_rule
@given(case=cases())
def test_gives_one_finite_float32_per_column(rule: Rule, case: Case) -> None:
    reduced = rule(*case)
    assert reduced.dtype == np.float32
    assert reduced.shape == case[0].shape[1:]
    assert np.isfinite(reduced).all()


@every_rule
@given(case=cases())
def test_is_deterministic_and_leaves_its_input_alone(rule: Rule, case: Case) -> None:
    updates, n_examples = case[0].copy(), case[1].copy()
    assert rule(*case).tobytes() == rule(*case).tobytes()
    assert updates.tobytes() == case[0].tobytes()
    assert n_examples.tobytes() == case[1].tobytes()


@every_rule
@given(case=cases())
def test_identical_updates_are_a_fixed_point(rule: Rule, case: Case) -> None:
    updates, n_examples = case
    same = np.repeat(updates[:1], len(updates), axis=0)
    np.testing.assert_array_equal(rule(same, n_examples), updates[0])


@every_rule
@given(case=cases(), data=st.data())
def test_columns_do_not_touch_each_other(rule: Rule, case: Case, data: st.DataObject) -> None:
    updates, n_examples = case
    order = data.draw(st.permutations(range(updates.shape[1])))
    assert rule(updates[:, order], n_examples).tobytes() == rule(updates, n_examples)[order].tobytes()


@every_rule
@given(case=cases(), data=st.data())
def test_blocks_may_be_cut_anywhere(rule: Rule, case: Case, data: st.DataObject) -> None:
    updates, n_examples = case
    cut = data.draw(st.integers(0, updates.shape[1]))
    parts = [rule(updates[:, :cut], n_examples), rule(updates[:, cut:], n_examples)]
    assert np.concatenate(parts).tobytes() == rule(updates, n_examples).tobytes()


def test_weighted_mean_weighs_by_examples() -> None:
    updates = np.array([[1, 2], [3, 4]], np.float32)
    assert weighted_mean(updates, np.array([100, 300])).tolist() == [2.5, 3.5]


def test_weighted_mean_gives_a_fog_without_examples_no_share() -> None:
    updates = np.array([[1, 2], [3, 4], [0.1, 0.7]], np.float32)
    n_examples = np.array([0, 300, 0])
    assert weighted_mean(updates, n_examples).tolist() == [3, 4]


def test_weighted_mean_adds_up_in_float64() -> None:
    # In float32 the one would vanish beside 2^25, and the sum of two huge ones would overflow.
    updates = np.array([[2.0**25, 3e38], [1, 3e38], [-(2.0**25), 3e38]], np.float32)
    third = np.float32(1 / 3)
    assert weighted_mean(updates, np.array([1, 1, 1])).tolist() == [third, np.float32(3e38)]
