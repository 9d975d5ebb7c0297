from pathlib import Path
from typing import Any

import pytest

from fogline.federation import Federation
from fogline.rounds.judge import Verdict, judge
from fogline.sums import Moments
from tests.support.federations import small_federation
from tests.support.plans import measure_plan, plan_state, some_weights, train_plan, update


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return small_federation(tmp_path)


def test_a_sound_update_is_accepted(federation: Federation) -> None:
    plan = train_plan(federation)
    assert judge(update(plan, "fog-a"), 1_000_500, plan_state(plan), {}) == (Verdict.ACCEPTED, None)


@pytest.mark.parametrize(
    ("changes", "state", "at_ms", "earlier", "verdict", "says"),
    [
        ({"fog": "fog-z"}, {}, 1_000_500, {}, Verdict.REJECTED, "unknown fog fog-z; members are fog-a, fog-b"),
        ({}, {"superseded_by": 9}, 1_000_500, {}, Verdict.STALE, "plan 9 superseded it"),
        ({}, {}, 1_000_500, {"fog-a": Verdict.ACCEPTED}, Verdict.DUPLICATE, "had answered before (accepted)"),
        ({}, {}, 1_021_500, {}, Verdict.LATE, "1.5 s after the deadline"),
        ({}, {"closed_at_ms": 1_000_400}, 1_000_500, {}, Verdict.LATE, "quorum and grace"),
        ({"kind": "decline", "reason": "no readings"}, {}, 1_000_500, {}, Verdict.DECLINED, "no readings"),
        ({"kind": "scores"}, {}, 1_000_500, {}, Verdict.REJECTED, "kind is scores, the plan asks for update"),
        ({"specification_sha256": "other"}, {}, 1_000_500, {}, Verdict.REJECTED, "specification other"),
        ({"weights": None}, {}, 1_000_500, {}, Verdict.REJECTED, "without weights"),
        ({"weights": some_weights(3)}, {}, 1_000_500, {}, Verdict.REJECTED, "3 parameters, the model has 2"),
    ],
)
def test_every_other_answer_has_its_reason(
    federation: Federation,
    changes: dict[str, Any],
    state: dict[str, Any],
    at_ms: int,
    earlier: dict[str, Verdict],
    verdict: Verdict,
    says: str,
) -> None:
    plan = train_plan(federation)
    answer = update(plan, **{"fog": "fog-a", **changes})
    found, reason = judge(answer, at_ms, plan_state(plan, **state), earlier)
    assert found is verdict
    assert says in str(reason)


def test_an_answer_to_no_plan_is_rejected(federation: Federation) -> None:
    verdict, reason = judge(update(train_plan(federation), "fog-a"), 0, None, {})
    assert (verdict, reason) == (Verdict.REJECTED, "unknown plan small/main/1")


def test_statistics_must_cover_every_column(federation: Federation) -> None:
    plan = measure_plan(federation)
    some = {"x": Moments(n=1)}
    answer = update(plan, "fog-a", kind="statistics", weights=None, statistics=some)
    assert judge(answer, 1_000_500, plan_state(plan), {}) == (
        Verdict.REJECTED,
        "statistics of x, the plan asks for x, y",
    )
    whole = answer.model_copy(update={"statistics": {**some, "y": Moments(n=1)}})
    assert judge(whole, 1_000_500, plan_state(plan), {})[0] is Verdict.ACCEPTED
