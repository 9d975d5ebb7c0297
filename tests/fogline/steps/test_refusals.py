"""A candidate that the gate or a person refuses: on record with its numbers, the branch stays, the next round runs."""

from collections.abc import Callable

import pytest

from fogline.ledger import models, rounds
from fogline.ledger.schema import EvaluationRow
from fogline.rounds.intervals import interval_at
from fogline.steps.collect import Collector, QuorumNotMet
from fogline.steps.ending import ending_round
from fogline.steps.publish import approval_question, publish_candidate
from tests.support.cloud import Cloud
from tests.support.rounds import aggregated, evaluate, initialise, open_round, whole_round


def head(cloud: Cloud) -> tuple[int, str]:
    with cloud.services.ledger.transaction() as session:
        row = models.chain_of(session, cloud.federation.federation, "main")[-1]
    return row.version, row.digest


def outcome(cloud: Cloud, run: str) -> tuple[str | None, str | None]:
    with cloud.services.ledger.transaction() as session:
        row = rounds.round_of_run(session, cloud.federation.federation, "main", run)
    assert row is not None and not row.is_open
    return row.outcome, row.reason


def test_the_gate_keeps_a_worse_candidate_out_and_says_both_numbers_of_each_fog(cloud: Cloud) -> None:
    initialise(cloud)
    before = head(cloud)
    aggregated(cloud, "r0", [1.0, 2.0])
    evaluate(cloud, "r0", error=5.0)
    publication = publish_candidate(cloud.services, cloud.federation, "r0")
    assert (publication.outcome, publication.model.name, head(cloud)) == ("refused", "main@0", before)
    reason = "RMSE 2 → 5 (+150.0 %) on held-out days; above the tolerance of 25 %: fog-a 2 → 5, fog-b 2 → 5"
    assert outcome(cloud, "r0") == ("refused", reason)
    with cloud.services.ledger.transaction() as session:
        scores = session.query(EvaluationRow).one().scores
    assert {model: sorted(by_fog) for model, by_fog in scores.items()} == {
        "base": ["fog-a", "fog-b"],
        "candidate": ["fog-a", "fog-b"],
    }


def test_after_a_refusal_the_next_round_takes_the_next_interval_on_the_same_base(cloud: Cloud) -> None:
    initialise(cloud)
    aggregated(cloud, "r0", [1.0, 2.0])
    evaluate(cloud, "r0", error=5.0)
    publish_candidate(cloud.services, cloud.federation, "r0")
    publication = whole_round(cloud, "r1", [3.0, 4.0])
    assert (publication.outcome, publication.model.interval_index, publication.model.version) == ("committed", 1, 1)


def test_a_refused_round_can_be_run_again_and_then_publish(cloud: Cloud) -> None:
    initialise(cloud)
    aggregated(cloud, "r0", [1.0, 2.0])
    evaluate(cloud, "r0", error=5.0)
    publish_candidate(cloud.services, cloud.federation, "r0")
    publication = whole_round(cloud, "r0", [1.5, 2.5])
    assert (publication.outcome, publication.model.interval_index) == ("committed", 0)


def test_a_person_may_refuse_what_the_gate_lets_through(cloud: Cloud) -> None:
    initialise(cloud)
    aggregated(cloud, "r0", [1.0, 2.0])
    evaluate(cloud, "r0")
    question = approval_question(cloud.services, cloud.federation, "r0")
    assert question is not None and "interval 0" in question and "RMSE 2 → 1 (-50.0 %)" in question
    publication = publish_candidate(cloud.services, cloud.federation, "r0", refusal="by ada")
    assert publication.outcome == "refused"
    assert outcome(cloud, "r0") == ("refused", "refused by ada")
    assert head(cloud)[0] == 0


def test_nobody_is_asked_about_a_candidate_that_the_gate_refuses_or_that_only_compares(cloud: Cloud) -> None:
    initialise(cloud)
    whole_round(cloud, "r0", [1.0, 2.0])
    aggregated(cloud, "again", [1.0, 2.0], interval_at(cloud.federation, 0))
    evaluate(cloud, "again")
    assert approval_question(cloud.services, cloud.federation, "again") is None
    assert publish_candidate(cloud.services, cloud.federation, "again").outcome == "reproduced"
    aggregated(cloud, "r1", [1.0, 2.0])
    evaluate(cloud, "r1", error=9.0)
    assert approval_question(cloud.services, cloud.federation, "r1") is None


def test_a_round_below_its_quorum_is_over_at_once_and_says_why(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud(round={"deadline_s": 2, "quorum": "all", "grace_s": 0.5})
    initialise(cloud)
    before = head(cloud)
    state = open_round(cloud, "r0").state
    cloud.fog_a.update(state.plan, [1.0, 2.0], 100)
    with pytest.raises(QuorumNotMet), ending_round(cloud.services, cloud.federation, "r0"):
        Collector(cloud.services, state).poll_for(20)
    ended, reason = outcome(cloud, "r0")
    assert ended == "failed" and reason is not None and "fog-b: no answer" in reason
    assert head(cloud) == before
    assert open_round(cloud, "r1").choice.interval.index == 1
