"""Rounds on real parts: sensors' readings through Kafka, four fogs, Airflow, Spark, and the ledger's chain."""

import pytest

from fogline.kafka.read import TailReader, open_consumer
from fogline.kafka.topics import GLOBAL_MODEL
from fogline.kafka.vectors import fetch_vector
from fogline.ledger.answers import verdicts_of
from fogline.ledger.history import committed_rounds
from fogline.ledger.plans import seal_of
from fogline.ledger.schema import AnswerRow, Round
from fogline.messages.head import Head
from fogline.model import load
from tests.support.farm import ROUNDS, Farm

pytestmark = pytest.mark.timeout(600)
N_ROUNDS = 3


@pytest.fixture(scope="module")
def run_ids(farm: Farm) -> list[str]:
    return farm.backfill(0, N_ROUNDS - 1)


def test_a_backfill_makes_one_model_an_interval_each_on_the_one_before(farm: Farm, run_ids: list[str]) -> None:
    chain = farm.chain()[: N_ROUNDS + 1]
    assert [(row.name, row.interval_index) for row in chain] == [
        ("main@0", None),
        ("main@1", 0),
        ("main@2", 1),
        ("main@3", 2),
    ]
    assert [row.base_id for row in chain] == [None, *(row.id for row in chain[:-1])]
    assert [row.dag_run_id for row in chain[1:]] == run_ids


def test_every_accepted_update_counts_exactly_once(farm: Farm, run_ids: list[str]) -> None:
    with farm.ledger.transaction() as session:
        for row in farm.chain()[1 : N_ROUNDS + 1]:
            seal = seal_of(session, row.plan_id)
            assert seal is not None
            assert [answer.fog for answer in seal.answers] == list(farm.federation.fogs)
            assert sum(answer.n_examples for answer in seal.answers) == row.n_examples > 0
        rounds = committed_rounds(session, "wind_farm", "main")[:N_ROUNDS]
        assert [one.interval_index for one in rounds] == [0, 1, 2]
        assert all(one.answered == one.members == tuple(farm.federation.fogs) for one in rounds)
        assert all(one.before.n == one.after.n > 0 for one in rounds)


def test_every_answer_has_one_verdict(farm: Farm, run_ids: list[str]) -> None:
    with farm.ledger.transaction() as session:
        # Each federation judges for itself what it can't read on the topic that they share.
        offsets = [(row.federation, row.partition, row.offset) for row in session.query(AnswerRow)]
        assert len(set(offsets)) == len(offsets)
        for row in farm.chain()[1 : N_ROUNDS + 1]:
            assert [answer.verdict for answer in verdicts_of(session, row.plan_id)] == ["accepted"] * 4


def test_the_model_file_is_the_one_that_kafka_has(farm: Farm, run_ids: list[str]) -> None:
    with open_consumer({"bootstrap.servers": farm.stack.settings.bootstrap_servers}) as consumer:
        reader = TailReader(consumer, GLOBAL_MODEL, {})
        records = [record for _ in range(10) for record in reader.poll(0.3)]
    heads = [Head.from_bytes(record.value) for record in records if record.key == "wind_farm/main/manifest"]
    head = max(heads, key=lambda one: one.head_no)
    row = farm.chain()[-1]
    assert (head.version, head.weights.digest) == (row.version, row.digest)
    model = load(farm.stack.settings.home / "models" / row.path)
    sent = fetch_vector({"bootstrap.servers": farm.stack.settings.bootstrap_servers}, head.weights)
    assert model.parameters.tolist() == sent.tolist()
    assert model.lineage.plan_id == row.plan_id


def test_each_tasks_log_tells_its_part(farm: Farm, run_ids: list[str]) -> None:
    run = run_ids[1]
    announced = farm.log(run, "announce_round")
    assert "Round for interval 1 (2014-01-08 00:00 to 2014-01-15 00:00 UTC) on main@1" in announced
    assert "fogs      fog-1, fog-2, fog-3, fog-4; quorum 4" in announced
    collected = farm.log(run, "collect_weights")
    assert "Readings of " in collected and "no target" in collected
    assert all(f"fog-{number}: accepted" in collected for number in (1, 2, 3, 4))
    assert "Verdicts on the answers to wind_farm/main/" in collected
    assert "Candidate" in farm.log(run, "aggregate_weights")
    assert "Held-out days, before and after" in farm.log(run, "evaluate_candidate")
    assert "main@2" in farm.log(run, "publish_global_model")


def test_a_cleared_round_is_reproduced_and_nothing_is_published(farm: Farm, run_ids: list[str]) -> None:
    before = [row.digest for row in farm.chain()]
    farm.runs.clear(ROUNDS, run_ids[0], ["announce_round"], with_downstream=True)
    farm.await_task(run_ids[0], "announce_round", "queued", "running")
    farm.wait(ROUNDS, run_ids[0])
    assert [row.digest for row in farm.chain()] == before
    assert "reproduced to the byte; nothing to publish" in farm.log(run_ids[0], "publish_global_model", 2)


@pytest.mark.parametrize("task", ["collect_weights", "aggregate_weights", "evaluate_candidate", "publish_global_model"])
def test_any_task_cleared_alone_changes_nothing(farm: Farm, run_ids: list[str], task: str) -> None:
    before = [(row.version, row.digest) for row in farm.chain()]
    farm.runs.clear(ROUNDS, run_ids[2], [task], with_downstream=False)
    farm.await_task(run_ids[2], task, "queued", "running")
    farm.wait(ROUNDS, run_ids[2])
    assert [(row.version, row.digest) for row in farm.chain()] == before


def test_a_run_by_hand_trains_the_first_interval_without_a_model(farm: Farm, run_ids: list[str]) -> None:
    head = farm.chain()[-1]
    farm.wait(ROUNDS, farm.runs.trigger(ROUNDS))
    assert [row.base_id for row in farm.chain()[-1:]] == [head.id]
    assert farm.chain()[-1].interval_index == (head.interval_index or 0) + 1


def test_a_job_by_spark_submit_makes_the_same_bytes(farm: Farm, run_ids: list[str]) -> None:
    branch = farm.on_branch("submitted", {"from": "main@0", "aggregation": "spark-submit"})
    run_id = branch.runs.trigger(branch.dag_id)
    branch.wait(branch.dag_id, run_id)
    assert "spark-submit" in branch.log(run_id, "aggregate_weights")
    assert "Candidate" in branch.log(run_id, "aggregate_weights")
    assert [row.digest for row in branch.chain()] == [row.digest for row in farm.chain()[:2]]


def test_an_interval_out_of_order_is_refused_and_names_the_one_needed(farm: Farm, run_ids: list[str]) -> None:
    before = len(farm.chain())
    run = farm.runs.trigger(ROUNDS, {"interval_start": farm.start_of(6).isoformat()})
    farm.wait(ROUNDS, run, expected="failed")
    assert "would leave a gap: main needs interval" in farm.log(run, "announce_round")
    assert len(farm.chain()) == before
    with farm.ledger.transaction() as session:
        assert not session.query(Round).filter(Round.is_open).all()
