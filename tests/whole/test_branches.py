"""A branch on real parts, by the forms and the verbs: begun, backfilled, compared, promoted, rolled back."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fogline.dag_ids import COMPARE_BRANCHES, NEW_BRANCH, PROMOTE_BRANCH, ROUND, dag_id
from fogline.kafka.read import TailReader, open_consumer
from fogline.kafka.topics import GLOBAL_MODEL
from fogline.ledger.models import head_of
from fogline.ledger.plans import seal_of
from fogline.ledger.schema import ModelRow
from fogline.messages.head import Head
from fogline.stack.branch_commands import main
from fogline.stack.waiting import wait_until
from tests.support.farm import DEADLINE_S, NAME, ROUNDS, Farm

pytestmark = pytest.mark.timeout(600)
BRANCH = "without_fog_3"
# Other tests name main's first versions, so what is rolled back comes after them.
N_ROUNDS = 4


@pytest.fixture(scope="module")
def before(farm: Farm) -> list[ModelRow]:
    """Main's chain before anything happened."""
    if len(farm.chain()) <= N_ROUNDS:
        farm.backfill(0, N_ROUNDS - 1)
    return farm.chain()


@pytest.fixture(scope="module")
def branch(farm: Farm, before: list[ModelRow]) -> Farm:
    """The branch, from the version before main's head, with the head's interval backfilled."""
    form = {"name": BRANCH, "begins_at": before[-2].name, "exclude": ["fog-3"]}
    run_form(farm, NEW_BRANCH, {**form, "settings": ["aggregation=spark-connect"]})
    rounds = dag_id(ROUND, NAME, BRANCH)
    wait_until(lambda: farm.api.has_dag(rounds), what=rounds, deadline_s=DEADLINE_S, every_s=0.5)
    branch = Farm(farm.stack, BRANCH)
    index = head_interval(before)
    branch.backfill(index, index)
    return branch


def run_form(farm: Farm, kind: str, form: dict[str, Any]) -> tuple[str, str]:
    """Trigger a DAG of one task with its form; return the run's id and the task's log."""
    dag = dag_id(kind, NAME)
    farm.runs.unpause(dag)
    run_id = farm.runs.trigger(dag, form)
    farm.wait(dag, run_id)
    (task,) = farm.runs.tasks(dag, run_id)
    return run_id, "\n".join(farm.runs.log(dag, run_id, task.task_id))


def head_interval(chain: list[ModelRow]) -> int:
    index = chain[-1].interval_index
    assert index is not None
    return index


def digests(chain: list[ModelRow]) -> list[tuple[str, str]]:
    return [(row.name, row.digest) for row in chain]


def head_on_kafka(farm: Farm) -> Head:
    with open_consumer({"bootstrap.servers": farm.stack.settings.bootstrap_servers}) as consumer:
        reader = TailReader(consumer, GLOBAL_MODEL, {})
        records = [record for _ in range(10) for record in reader.poll(0.3)]
    heads = [Head.from_bytes(one.value) for one in records if one.key == f"{NAME}/main/manifest" and one.value]
    return max(heads, key=lambda head: head.head_no)


def test_the_branch_trains_without_the_fog_and_main_is_untouched(
    farm: Farm, before: list[ModelRow], branch: Farm
) -> None:
    row = branch.chain()[-1]
    assert (row.branch, row.interval_index) == (BRANCH, head_interval(before))
    assert row.digest != before[-1].digest
    with branch.ledger.transaction() as session:
        seal = seal_of(session, row.plan_id)
    assert seal is not None and seal.plan.members == ("fog-1", "fog-2", "fog-4")
    assert [answer.fog for answer in seal.answers] == ["fog-1", "fog-2", "fog-4"]
    assert digests(farm.chain()) == digests(before)


def test_the_comparison_has_both_and_is_drawn(
    farm: Farm, before: list[ModelRow], branch: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, log = run_form(farm, COMPARE_BRANCHES, {"first": "main", "second": BRANCH})
    assert f"main and {BRANCH} on held-out days, from {before[-2].name}" in log
    assert "Not counted, scored by main alone: fog-3" in log
    head, other = before[-1].name, branch.chain()[-1].name
    assert f"comparisons/{NAME}/{head}--{other}.png" in log
    picture = farm.stack.settings.home / "models" / "comparisons" / NAME / f"{head}--{other}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")

    monkeypatch.setenv("FOGLINE_HOME", str(farm.stack.settings.home))
    done = CliRunner().invoke(main, ["compare", "main", BRANCH, "--plot", str(tmp_path / "a.svg")])
    row = next(line for line in done.output.splitlines() if head in line and other in line)
    assert row in log and b"RMSE kW" in (tmp_path / "a.svg").read_bytes()


def test_main_takes_the_promoted_model_once_goes_back_and_trains_the_same_bytes_again(
    farm: Farm, before: list[ModelRow], branch: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, log = run_form(farm, PROMOTE_BRANCH, {"branch": BRANCH})
    promoted = farm.chain()[-1]
    assert promoted.digest == branch.chain()[-1].digest and promoted.branch == "main"
    assert f"main: {before[-1].name} → {promoted.name} (the model of {branch.chain()[-1].name})" in log
    assert (head_on_kafka(farm).version, head_on_kafka(farm).weights.digest) == (promoted.version, promoted.digest)
    with farm.ledger.transaction() as session:
        move = head_of(session, NAME, "main")
    assert move is not None and (move.reason, move.moved_by) == ("promoted", run_id)
    dag = dag_id(PROMOTE_BRANCH, NAME)
    farm.runs.clear(dag, run_id, ["promote"], with_downstream=False)
    wait_until(lambda: farm.runs.tasks(dag, run_id)[0].try_number == 2, what="the second try", deadline_s=DEADLINE_S)
    farm.wait(dag, run_id)
    assert head_on_kafka(farm).head_no == move.head_no

    monkeypatch.setenv("FOGLINE_HOME", str(farm.stack.settings.home))
    done = CliRunner().invoke(main, ["rollback", before[-2].name])
    assert f"main: {promoted.name} → {before[-2].name}" in done.output, done.output
    assert digests(farm.chain()) == digests(before[:-1])
    assert head_on_kafka(farm).head_no == move.head_no + 1

    farm.wait(ROUNDS, farm.runs.trigger(ROUNDS))
    assert [row.digest for row in farm.chain()] == [row.digest for row in before]
    assert farm.chain()[-1].version == promoted.version + 1
