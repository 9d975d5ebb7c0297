import numpy as np
import pytest

from fogline.rounds.gate import decide
from fogline.sums import ScoreSums


def sums(*errors: float) -> ScoreSums:
    return ScoreSums.of(np.array(errors, np.float64), np.arange(len(errors), dtype=np.float64))


def test_a_candidate_within_the_tolerance_passes_and_both_numbers_are_said() -> None:
    decision = decide({"fog-a": sums(2, 2)}, {"fog-a": sums(2.4, 2.4)}, 0.25, "kW", classes=False)
    assert decision.passes
    assert decision.reason == "RMSE 2 → 2.4 kW (+20.0 %) on held-out days; within the tolerance of 25 %"


def test_a_worse_candidate_is_refused_with_both_numbers_of_each_fog() -> None:
    base, candidate = {"fog-a": sums(1), "fog-b": sums(1, 1)}, {"fog-a": sums(1), "fog-b": sums(3, 3)}
    decision = decide(base, candidate, 0.25, "kW", classes=False)
    assert not decision.passes
    assert decision.reason.endswith("above the tolerance of 25 %: fog-a 1 → 1, fog-b 1 → 3")


def test_the_limit_itself_passes() -> None:
    assert decide({"a": sums(2)}, {"a": sums(2.5)}, 0.25, "", classes=False).passes


def test_without_a_held_out_reading_nothing_is_judged() -> None:
    decision = decide({"a": sums()}, {"a": sums()}, 0.0, "kW", classes=False)
    assert decision.passes and decision.reason.startswith("not judged")


def test_a_fog_without_readings_is_shown_as_such() -> None:
    decision = decide({"a": sums(1), "b": sums()}, {"a": sums(9), "b": sums()}, 0.1, "", classes=False)
    assert decision.reason.endswith("a 1 → 9, b no readings → no readings")


@pytest.mark.parametrize(("wrong_then", "wrong_now", "passes"), [(0.0, 0.0, True), (0.0, 1.0, False), (1.0, 0.0, True)])
def test_classes_are_judged_by_the_share_of_wrong_ones(wrong_then: float, wrong_now: float, passes: bool) -> None:
    decision = decide({"a": sums(wrong_then, 0)}, {"a": sums(wrong_now, 0)}, 0.1, "", classes=True)
    assert decision.passes is passes
    assert decision.reason.startswith("share of wrong classes")
