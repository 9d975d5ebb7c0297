"""Backfills in every order: each run commits on the right base or names the interval that is needed."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fogline.stack.airflow_runs import ENDED
from fogline.stack.waiting import wait_until
from producer.sources.la_haute_borne import ensure_readings
from tests.support.farm import DEADLINE_S, Farm
from tests.support.in_process import undisturbed_digests

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def branch(farm: Farm) -> Farm:
    """A branch that begins at version 0, on the warm engine."""
    return farm.on_branch("backfills", {"from": "main@0", "aggregation": "spark-connect"})


def intervals(farm: Farm) -> list[int | None]:
    return [row.interval_index for row in farm.chain()]


def ended(farm: Farm, run_id: str) -> str:
    wait_until(lambda: farm.runs.state(farm.dag_id, run_id) in ENDED, what=run_id, deadline_s=DEADLINE_S, every_s=0.5)
    return farm.runs.state(farm.dag_id, run_id)


def test_with_more_active_runs_than_one_the_rounds_still_form_one_chain_in_order(branch: Farm) -> None:
    branch.runs.backfill(branch.dag_id, branch.start_of(0), branch.start_of(3), max_active_runs=3)
    for index in range(4):
        branch.wait(branch.dag_id, branch.await_run(index))
    assert intervals(branch) == [None, 0, 1, 2, 3]


def test_run_backwards_only_the_interval_that_is_due_gets_a_model(branch: Farm) -> None:
    branch.runs.backfill(branch.dag_id, branch.start_of(4), branch.start_of(6), backwards=True)
    states = {index: ended(branch, branch.await_run(index)) for index in (6, 5, 4)}
    assert states == {6: "failed", 5: "failed", 4: "success"}
    log = branch.log(branch.await_run(6), "announce_round")
    assert "interval 6 would leave a gap: backfills needs interval 4 " in log
    assert intervals(branch) == [None, 0, 1, 2, 3, 4]


def test_what_failed_is_trained_by_the_next_backfill_in_order(branch: Farm) -> None:
    branch.runs.backfill(branch.dag_id, branch.start_of(5), branch.start_of(6), "failed")
    wait_until(lambda: intervals(branch)[-1] == 6, what="interval 6", deadline_s=DEADLINE_S, every_s=0.5)
    for index in (5, 6):
        assert ended(branch, branch.await_run(index)) == "success"
    assert intervals(branch) == [None, 0, 1, 2, 3, 4, 5, 6]


def test_completed_rounds_reprocessed_are_all_reproduced_so_the_chain_is_that_of_a_serial_run(branch: Farm) -> None:
    before = [(row.name, row.digest) for row in branch.chain()]
    run_ids = [branch.await_run(index) for index in range(7)]
    branch.runs.backfill(branch.dag_id, branch.start_of(0), branch.start_of(6), "completed")
    for run_id in run_ids:
        log = branch.await_log(run_id, "publish_global_model", "reproduced to the byte; nothing to publish")
        assert "differs" not in log
    assert [(row.name, row.digest) for row in branch.chain()] == before


def test_the_warm_engine_gives_the_bytes_of_an_undisturbed_run_in_one_process(branch: Farm, tmp_path: Path) -> None:
    readings = pq.read_table(ensure_readings(branch.stack.settings.tools / "cache"))
    undisturbed = undisturbed_digests(branch.federation, readings, 7, tmp_path)
    assert [row.digest for row in branch.chain()] == undisturbed


def test_rounds_cleared_backwards_together_change_nothing(branch: Farm) -> None:
    before = [(row.name, row.digest) for row in branch.chain()]
    run_ids = [branch.await_run(index) for index in (5, 4, 3)]
    for run_id in run_ids:
        branch.runs.clear(branch.dag_id, run_id, ["announce_round"], with_downstream=True)
    for run_id in run_ids:
        branch.await_task(run_id, "publish_global_model", "success")
        assert ended(branch, run_id) == "success"
    assert [(row.name, row.digest) for row in branch.chain()] == before


def test_two_triggers_in_one_second_are_two_rounds(branch: Farm) -> None:
    head = intervals(branch)[-1] or 0
    runs = [branch.runs.trigger(branch.dag_id), branch.runs.trigger(branch.dag_id)]
    assert len(set(runs)) == 2
    for run_id in runs:
        branch.wait(branch.dag_id, run_id)
    assert intervals(branch)[-2:] == [head + 1, head + 2]


def test_a_run_by_hand_during_a_backfill_takes_an_interval_and_the_backfill_goes_on_behind_it(branch: Farm) -> None:
    first = (intervals(branch)[-1] or 0) + 1
    branch.runs.backfill(branch.dag_id, branch.start_of(first), branch.start_of(first + 2))
    branch.await_task(branch.await_run(first), "collect_weights", "running", "success", "up_for_reschedule")
    by_hand = branch.runs.trigger(branch.dag_id)
    branch.wait(branch.dag_id, by_hand)
    for index in range(first, first + 3):
        branch.wait(branch.dag_id, branch.await_run(index))
    assert intervals(branch) == [None, *range(len(intervals(branch)) - 1)]
