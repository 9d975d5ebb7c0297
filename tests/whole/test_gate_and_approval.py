"""What keeps a candidate from being published: the gate, a person, or nobody's answer in time."""

import contextlib
from typing import Any

import pytest

from fogline.ledger.rounds import round_of_run
from fogline.ledger.schema import Round
from fogline.stack.airflow_runs import ENDED
from fogline.stack.errors import StackError
from fogline.stack.waiting import wait_until
from tests.support.farm import DEADLINE_S, NAME, Farm

pytestmark = pytest.mark.timeout(600)
WARM: dict[str, Any] = {"from": "main@0", "aggregation": "spark-connect"}
APPROVE = "approve_candidate"


def round_of(branch: Farm, run_id: str) -> Round:
    with branch.ledger.transaction() as session:
        row = round_of_run(session, NAME, branch.branch, run_id)
    assert row is not None
    return row


def answered_round(branch: Farm, option: str) -> str:
    """Start a round, answer whenever it asks, and return its run once it has succeeded.

    An answer in the moment in which the task is being parked makes Airflow take it for failed, and it asks again.
    """
    run_id = branch.runs.trigger(branch.dag_id)

    def is_over() -> bool:
        if branch.task(run_id, APPROVE).state == "awaiting_input":
            with contextlib.suppress(StackError):
                branch.runs.choose(branch.dag_id, run_id, APPROVE, option)
        return branch.runs.state(branch.dag_id, run_id) in ENDED

    wait_until(is_over, what=f"the round that is answered {option}", deadline_s=DEADLINE_S, every_s=2.0)
    branch.runs.require_success(branch.dag_id, run_id)
    return run_id


def test_a_candidate_that_got_much_worse_is_not_published_and_the_run_shows_it(farm: Farm) -> None:
    wild = {"epochs": 5, "batch_size": 32, "learning_rate": 0.5, "decay_from": 1}
    branch = farm.on_branch("gate", WARM)
    branch.wait(branch.dag_id, branch.runs.trigger(branch.dag_id))
    before = [row.digest for row in branch.chain()]
    branch = farm.on_branch("gate", {**WARM, "training": wild})
    run_id = branch.runs.trigger(branch.dag_id)
    branch.wait(branch.dag_id, run_id)
    assert branch.task(run_id, "publish_global_model").state == "skipped"
    assert [row.digest for row in branch.chain()] == before
    ended = round_of(branch, run_id)
    assert ended.outcome == "refused" and ended.reason is not None
    assert "above the tolerance of 50 %: fog-1 " in ended.reason
    assert f"Refused: {ended.reason}" in branch.log(run_id, "publish_global_model")


def test_a_refusal_can_fail_the_run_and_the_next_round_runs_all_the_same(farm: Farm) -> None:
    branch = farm.on_branch("gate", {**WARM, "promotion": {"tolerance": 0.5, "on_refusal": "fail"}})
    branch.wait(branch.dag_id, branch.runs.trigger(branch.dag_id))
    assert [row.interval_index for row in branch.chain()] == [None, 0, 2]


def test_a_person_publishes_refuses_or_does_not_answer(farm: Farm) -> None:
    approval = {"timeout_s": 600, "default": "refuse"}
    branch = farm.on_branch("asked", {**WARM, "promotion": {"tolerance": 0.5, "approval": approval}})
    answered_round(branch, "Publish")
    assert [row.interval_index for row in branch.chain()] == [None, 0]

    refused = answered_round(branch, "Refuse")
    assert branch.task(refused, "publish_global_model").state == "skipped"
    assert (round_of(branch, refused).outcome, round_of(branch, refused).reason) == ("refused", "refused by admin")

    branch = farm.on_branch("asked", {**WARM, "promotion": {"approval": {"timeout_s": 5, "default": "refuse"}}})
    unanswered = branch.runs.trigger(branch.dag_id)
    branch.wait(branch.dag_id, unanswered)
    assert round_of(branch, unanswered).reason == "refused because nobody answered in time"
    assert [row.interval_index for row in branch.chain()] == [None, 0]
