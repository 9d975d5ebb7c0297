"""Every cause of a rejection through the real broker, and the rows that people see."""

from collections.abc import Callable
from typing import Any

import pytest

from fogline.kafka.vectors import send_vector
from fogline.messages.base import MAX_RECORD_BYTES
from fogline.messages.cause import Cause
from fogline.messages.plan import EventTimeSpan, Plan
from fogline.messages.seal import FogContribution, Result, Seal
from fogline.rounds.judge import Verdict
from fogline.rounds.tables import verdicts_table
from fogline.steps import aggregate, measure
from fogline.steps.collect import Collector, QuorumNotMet
from tests.support.cloud import Cloud
from tests.support.fogs import FogStandIn, answer_of, layers_of, update_of
from tests.support.rounds import collect, initialise, open_round

WEIGHTS = [0.5] * 25
# Each has a fog of its own; those that settle nothing then decline, so that the plan is over.
UNSETTLED = ("undecodable", "too_large", "unknown_plan", "foreign_key")
REJECTED = (*UNSETTLED, "wrong_kind", "wrong_specification", "no_layers", "only_weights", "transposed", "column",
            "swapped", "extra", "scalar", "wrong_topic", "other_digest", "no_example", "too_many_examples")  # fmt: skip
CAUSES = {
    **dict.fromkeys(
        ("no_layers", "only_weights", "transposed", "column", "swapped", "extra", "scalar"), "wrong_layers"
    ),
    "wrong_topic": "wrong_blocks",
    "other_digest": "digest_mismatch",
    "no_example": "wrong_n_examples",
    "too_many_examples": "wrong_n_examples",
}


def send_fault(fog: FogStandIn, plan: Plan) -> None:
    """Send the fault that the stand-in is named for."""
    layers = layers_of(plan)
    w, b, *rest = layers

    def shaped(**shapes: tuple[int, ...]) -> Any:
        given = {"w": w, "b": b}
        return tuple(given[k].model_copy(update={"shape": shapes.get(k, given[k].shape)}) for k in "wb") + tuple(rest)

    changes: dict[str, dict[str, Any]] = {
        "unknown_plan": {"plan_id": f"{plan.federation}/main/999999"},
        "foreign_key": {"fog": "fog-a"},
        "wrong_kind": {"kind": "scores"},
        "wrong_specification": {"specification_sha256": "f" * 64},
        "no_layers": {"layers": ()},
        "only_weights": {"layers": (w,)},
        "transposed": {"layers": shaped(w=(8, 1))},
        "column": {"layers": shaped(b=(8, 1))},
        "swapped": {"layers": (b, w, *rest)},
        "extra": {"layers": (*layers, w.model_copy(update={"name": "c"}))},
        "scalar": {"layers": shaped(b=())},
        "no_example": {"n_examples": 0},
        "too_many_examples": {"n_examples": 11},
    }
    if fog.name == "undecodable":
        fog.send(b'{"kind": "update"')
    elif fog.name == "too_large":
        fog.send(b" " * (MAX_RECORD_BYTES + 1))
    else:
        sent = send_vector(fog.publisher, "model-weights", fog.name, WEIGHTS, 4)
        changes["wrong_topic"] = {"weights": sent.model_copy(update={"topic": "sensor-data"})}
        changes["other_digest"] = {"weights": sent.model_copy(update={"digest": "0" * 64})}
        fog.answer(plan, **{**update_of(plan, fog.name, sent, 10), **changes[fog.name]})


def test_every_cause_is_named_and_counts_for_nothing(kafka: str, make_cloud: Callable[..., Cloud]) -> None:
    names = ["fog-a", "fog-b", *REJECTED]
    cloud = make_cloud(
        fogs={name: {"sensors": [f"s{number}"]} for number, name in enumerate(names)},
        round={"quorum": 1, "grace_s": 60, "deadline_s": 60},
        model={"kind": "mlp", "hidden": [8]},
    )
    fogs = [FogStandIn(kafka, name) for name in REJECTED]
    initialise(cloud, "init", *fogs)
    state = open_round(cloud, "run").state
    for fog in fogs:
        send_fault(fog, state.plan)
    FogStandIn(kafka, "fog-z").update(state.plan, WEIGHTS, 10)
    cloud.fog_a.update(state.plan, WEIGHTS, 10)
    cloud.fog_b.answer(state.plan, kind="decline")
    for fog in fogs:
        if fog.name in UNSETTLED:
            fog.answer(state.plan, kind="decline", reason="no more")
    seal = collect(cloud, state)
    assert [answer.fog for answer in seal.answers] == ["fog-a"]
    rows = cloud.rows(state.plan)
    found = {row.fog: row.cause for row in rows if row.verdict == Verdict.REJECTED}
    # What names another plan has its row there, not here.
    assert found == {name: CAUSES.get(name, name) for name in REJECTED if name != "unknown_plan"} | {
        "fog-z": "unknown_fog"
    }
    assert {row.fog for row in rows if row.verdict == Verdict.DECLINED} == {"fog-b", *UNSETTLED}
    assert all(row.reason for row in rows if row.verdict != Verdict.ACCEPTED)


def test_sums_that_do_not_cover_what_was_asked_are_rejected_by_cause(cloud: Cloud) -> None:
    window = EventTimeSpan(start=cloud.federation.start, end=cloud.federation.start + cloud.federation.interval)
    state = measure.announce_statistics(cloud.services, cloud.federation, "init", window, 20)
    cloud.fog_a.answer(state.plan, kind="statistics")
    cloud.fog_b.statistics(state.plan, [2.0])
    said = r"fog-a: rejected \(wrong_statistics: statistics of nothing, the plan asks for x, y\); fog-b: accepted"
    with pytest.raises(QuorumNotMet, match=said):
        Collector(cloud.services, state).poll_for(20)
    initialise(cloud, "again")
    state = measure.announce_evaluation(cloud.services, cloud.federation, "e", None, window, "all", 20)
    cloud.fog_a.scores(state.plan, {"other": 1.0})
    cloud.fog_b.scores(state.plan, {"main@0": 1.0})
    with pytest.raises(
        QuorumNotMet, match=r"fog-a: rejected \(wrong_scores: scores of other, the plan asks for main@0"
    ):
        Collector(cloud.services, state).poll_for(20)


def test_nobody_settles_a_fog_in_its_name(cloud: Cloud) -> None:
    initialise(cloud)
    state = open_round(cloud, "run").state
    forged = answer_of(state.plan, "fog-a", kind="decline", reason="forged")
    cloud.fog_b.send(forged.to_bytes())
    cloud.fog_a.update(state.plan, [1.0, 2.0], 100)
    cloud.fog_b.update(state.plan, [3.0, 4.0], 300)
    assert [answer.fog for answer in collect(cloud, state).answers] == ["fog-a", "fog-b"]
    assert [(row.fog, row.verdict, row.cause) for row in cloud.rows(state.plan)] == [
        ("fog-a", "accepted", None),
        ("fog-b", "rejected", "foreign_key"),
        ("fog-b", "accepted", None),
    ]


def result_with_a_rejection(cloud: Cloud, seal: Seal) -> None:
    contributions = tuple(
        FogContribution(fog=a.fog, n_examples=a.n_examples, share=0, update_norm_l2=None) for a in seal.answers
    )
    bad = contributions[1].model_copy(update={"cause": Cause.NOT_FINITE, "reason": "parameter 0 of it is nan"})
    result = Result(
        plan_id=seal.plan.plan_id,
        seal_digest=seal.digest(),
        candidate=None,
        reason="below quorum",
        contributions=(contributions[0], bad),
    )
    cloud.services.store.write(aggregate.result_path(seal.plan.plan_id), result.to_bytes())


def test_what_the_aggregation_rejects_is_rejected_in_the_ledger(make_cloud: Callable[..., Cloud]) -> None:
    fogs = {"fog-a": {"sensors": ["s1"]}, "fog-b": {"sensors": ["s2"]}, "fog-c": {"sensors": ["s3"]}}
    cloud = make_cloud(fogs=fogs, round={"quorum": 2, "grace_s": 0.2, "deadline_s": 60})
    fog_c = FogStandIn(cloud.services.kafka["bootstrap.servers"], "fog-c")
    initialise(cloud, "init", fog_c)
    window = EventTimeSpan(start=cloud.federation.start, end=cloud.federation.start + cloud.federation.interval)
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, [1.0, 2.0], 100)
    cloud.fog_b.update(state.plan, [3.0, 4.0], 300)
    seal = collect(cloud, state)
    assert [(row.fog, row.verdict) for row in cloud.rows(state.plan)] == [
        ("fog-a", "accepted"),
        ("fog-b", "accepted"),
        ("fog-c", "no answer"),
    ]
    result_with_a_rejection(cloud, seal)
    for _ in range(2):
        aggregate.record_result(cloud.services, seal)
        after = {row.fog: (row.verdict, row.cause, row.reason) for row in cloud.rows(state.plan)}
        assert after["fog-a"] == ("accepted", None, None)
        assert after["fog-b"] == ("rejected", "not_finite", "parameter 0 of it is nan")
    # Fewer than the quorum are accepted now, and yet nothing can be added to what was sealed.
    fog_c.update(state.plan, [5.0, 6.0], 100)
    evaluation = measure.announce_evaluation(cloud.services, cloud.federation, "e", None, window, "all", 20)
    for fog in (cloud.fog_a, cloud.fog_b, fog_c):
        fog.scores(evaluation.plan, {"main@0": 1.0})
    collect(cloud, evaluation)
    assert [(row.verdict, row.reason) for row in cloud.rows(state.plan) if row.fog == "fog-c"] == [
        ("late", "after the plan had been sealed")
    ]


def test_the_table_shows_every_member_and_why(cloud: Cloud) -> None:
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, [1.0, 2.0], 0, update_norm_l2=1.5)
    assert Collector(cloud.services, state).poll_for(1) is None
    table = verdicts_table("Verdicts", cloud.rows(state.plan))
    fog_a, fog_b = (next(line for line in table.splitlines() if fog in line) for fog in ("fog-a", "fog-b"))
    assert all(word in fog_a for word in ("rejected", "wrong_n_examples", "1.5"))
    assert "trained on no example" in " ".join(table.split())
    assert "no answer" in fog_b
