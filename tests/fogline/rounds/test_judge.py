from pathlib import Path
from typing import Any

import pytest

from fogline.federation import Federation
from fogline.messages.answer import Layer
from fogline.messages.cause import Cause
from fogline.messages.weights import BlockedVector
from fogline.rounds.judge import Judgement, Verdict, judge
from fogline.sums import Moments
from tests.support.federations import small_federation
from tests.support.fogs import layers_of
from tests.support.plans import measure_plan, plan_state, some_weights, train_plan, update

OF_ONE = some_weights()
ONE = OF_ONE.blocks[0]


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return small_federation(tmp_path)


@pytest.fixture
def deep(tmp_path: Path) -> Federation:
    """Its first layer has weights of shape (1, 8) and a bias of shape (8,)."""
    return small_federation(tmp_path, model={"kind": "mlp", "hidden": [8]})


def of_one(**changes: Any) -> BlockedVector:
    return OF_ONE.model_copy(update={"blocks": (ONE.model_copy(update=changes),)})


def test_a_sound_update_is_accepted(federation: Federation) -> None:
    plan = train_plan(federation)
    assert judge(update(plan, "fog-a"), "fog-a", 1_000_500, plan_state(plan), {}) == Judgement(Verdict.ACCEPTED)


@pytest.mark.parametrize(
    ("changes", "state", "at_ms", "earlier", "verdict", "says"),
    [
        ({}, {"superseded_by": 9}, 1_000_500, {}, Verdict.STALE, "plan 9 superseded it"),
        ({}, {}, 1_000_500, {"fog-a": Verdict.ACCEPTED}, Verdict.DUPLICATE, "had answered before (accepted)"),
        ({}, {}, 1_021_500, {}, Verdict.LATE, "1.5 s after the deadline"),
        ({}, {"closed_at_ms": 1_000_400}, 1_000_500, {}, Verdict.LATE, "quorum and grace"),
        ({}, {"is_sealed": True}, 1_000_500, {}, Verdict.LATE, "after the plan had been sealed"),
        ({"kind": "decline", "reason": "no readings"}, {}, 1_000_500, {}, Verdict.DECLINED, "no readings"),
    ],
)
def test_what_is_not_counted_has_its_reason_and_no_cause(
    federation: Federation,
    changes: dict[str, Any],
    state: dict[str, Any],
    at_ms: int,
    earlier: dict[str, Verdict],
    verdict: Verdict,
    says: str,
) -> None:
    plan = train_plan(federation)
    answer = update(plan, "fog-a", **changes)
    found = judge(answer, "fog-a", at_ms, plan_state(plan, **state), earlier)
    assert (found.verdict, found.cause) == (verdict, None)
    assert says in str(found.reason)


@pytest.mark.parametrize(
    ("changes", "cause", "says"),
    [
        ({"fog": "fog-z", "readings": ()}, Cause.UNKNOWN_FOG, "unknown fog fog-z; members are fog-a, fog-b"),
        ({"fog": "fog-b"}, Cause.FOREIGN_KEY, "the record's key is fog-a, its manifest names fog-b"),
        ({"kind": "scores"}, Cause.WRONG_KIND, "kind is scores, the plan asks for update"),
        ({"specification_sha256": "other"}, Cause.WRONG_SPECIFICATION, "specification other"),
        ({"weights": None}, Cause.WRONG_BLOCKS, "without weights"),
        ({"weights": some_weights(3)}, Cause.WRONG_BLOCKS, "3 parameters declared, the model has 2"),
        ({"weights": OF_ONE.model_copy(update={"topic": "t"})}, Cause.WRONG_BLOCKS, "on topic t, not on model-weights"),
        ({"weights": OF_ONE.model_copy(update={"blocks": (ONE, ONE)})}, Cause.WRONG_BLOCKS, "2 blocks declared"),
        ({"weights": of_one(n_bytes=12)}, Cause.WRONG_BLOCKS, "12 bytes declared, its parameters take 8"),
        ({"weights": of_one(partition=3)}, Cause.WRONG_BLOCKS, "lies on partition 3, it belongs to 0"),
        ({"weights": of_one(sha256="f" * 64)}, Cause.DIGEST_MISMATCH, "the only block's digest is ffffffffffff"),
        ({"n_examples": 0}, Cause.WRONG_N_EXAMPLES, "trained on no example"),
        ({"n_examples": 11}, Cause.WRONG_N_EXAMPLES, "11 examples from the 10 readings that it lists"),
        ({"readings": ()}, Cause.WRONG_N_EXAMPLES, "10 examples from the 0 readings that it lists"),
    ],
)
def test_a_rejection_names_its_cause_and_what_was_found(
    federation: Federation, changes: dict[str, Any], cause: Cause, says: str
) -> None:
    plan = train_plan(federation)
    answer = update(plan, **{"fog": "fog-a", **changes})
    found = judge(answer, "fog-a", 1_000_500, plan_state(plan), {})
    assert (found.verdict, found.cause) == (Verdict.REJECTED, cause)
    assert says in str(found.reason)


W, B, W1, B1 = "layer0.weights", "layer0.bias", "layer1.weights", "layer1.bias"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w, b, *rest: (w, *rest), f"{B}: missing"),
        (lambda w, b, *rest: (w,), f"{B}: missing; {W1}: missing; {B1}: missing"),
        (lambda w, *rest: (w.model_copy(update={"shape": (8, 1)}), *rest), f"{W}: expected shape (1, 8), got (8, 1)"),
        (
            lambda w, b, *rest: (w, b.model_copy(update={"shape": (8, 1)}), *rest),
            f"{B}: expected shape (8,), got (8, 1",
        ),
        (lambda w, b, *rest: (w, b.model_copy(update={"shape": ()}), *rest), f"{B}: expected shape (8,), got ()"),
        (
            lambda w, b, *rest: (w, b.model_copy(update={"dtype": "float64"}), *rest),
            f"{B}: expected float32, got float64",
        ),
        (lambda w, b, *rest: (b, w, *rest), f"the order is {B}, {W}, {W1}, {B1}, the model's is {W}, {B}, {W1}, {B1}"),
        (lambda *all_: (*all_, Layer(name="c", shape=(1,))), "c: the model has no such layer"),
        (lambda w, *rest: (w, w, *rest), f"{W}: declared 2 times"),
        (lambda *all_: (), f"no layers, the model has {W}, {B}, {W1}, {B1}"),
        (lambda *all_: [Layer(name=f"x{n}", shape=()) for n in range(9)], "and 9 more"),
    ],
)
def test_structure_is_judged_layer_by_layer(deep: Federation, change: Any, says: str) -> None:
    plan = train_plan(deep)
    answer = update(plan, "fog-a", layers=tuple(change(*layers_of(plan))), weights=some_weights(25))
    found = judge(answer, "fog-a", 1_000_500, plan_state(plan), {})
    assert found.cause is Cause.WRONG_LAYERS
    assert says in str(found.reason)


def test_an_answer_to_no_plan_is_rejected(federation: Federation) -> None:
    found = judge(update(train_plan(federation), "fog-a"), "fog-a", 0, None, {})
    assert found == Judgement(Verdict.REJECTED, Cause.UNKNOWN_PLAN, "unknown plan small/main/1")


def test_statistics_must_cover_every_column(federation: Federation) -> None:
    plan = measure_plan(federation)
    some = {"x": Moments(n=1)}
    answer = update(plan, "fog-a", kind="statistics", weights=None, statistics=some)
    assert judge(answer, "fog-a", 1_000_500, plan_state(plan), {}) == Judgement(
        Verdict.REJECTED, Cause.WRONG_STATISTICS, "statistics of x, the plan asks for x, y"
    )
    whole = answer.model_copy(update={"statistics": {**some, "y": Moments(n=1)}})
    assert judge(whole, "fog-a", 1_000_500, plan_state(plan), {}).verdict is Verdict.ACCEPTED


def test_scores_must_cover_every_model(federation: Federation) -> None:
    plan = measure_plan(federation, measure="scores")
    answer = update(plan, "fog-a", kind="scores", weights=None, scores={"other": {"n": 0}})
    found = judge(answer, "fog-a", 1_000_500, plan_state(plan), {})
    assert found.cause is Cause.WRONG_SCORES
