"""Every DAG is one that operators can live with; what a round is can be read off its tasks."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
ROUND = ["announce_round", "collect_weights", "aggregate_weights", "evaluate_candidate", "publish_global_model"]


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("airflow")
        patch.setenv("AIRFLOW_HOME", str(home))
        yield home


def load_dags(folder: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(folder), safe_mode=False)
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def dags(airflow_home: Path) -> dict[str, Any]:
    return load_dags(REPOSITORY / "dags")


def test_the_federation_has_its_dags(dags: dict[str, Any]) -> None:
    assert sorted(dags) == [
        "compare_branches__wind_farm",
        "evaluate_model__wind_farm",
        "federated_round__wind_farm",
        "initialise_federation__wind_farm",
        "new_branch__wind_farm",
        "promote_branch__wind_farm",
        "record_history__wind_farm",
        "roll_back__wind_farm",
    ]


def test_a_round_is_five_tasks_in_a_row(dags: dict[str, Any]) -> None:
    dag = dags["federated_round__wind_farm"]
    assert dag.task_ids == ROUND
    assert [sorted(task.downstream_task_ids) for task in dag.tasks] == [[one] for one in ROUND[1:]] + [[]]


def test_every_dag_has_what_operators_need(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.doc_md and dag.description and dag.max_active_runs == 1 and not dag.catchup
        assert {"fogline", "wind_farm"} <= set(dag.tags)
        for name, param in dag.params.items():
            resolved = dag.params.get_param(name)
            assert resolved.schema.get("title") and resolved.description, (name, param)
        for task in dag.tasks:
            assert task.owner == "wind-operations"
            assert task.execution_timeout is not None and task.retries > 0
            assert task.doc_md


def test_sensors_hold_no_worker_while_they_wait(dags: dict[str, Any]) -> None:
    sensors = [
        task for dag in dags.values() for task in dag.tasks if "collect" in task.task_id or "candidate" in task.task_id
    ]
    assert len(sensors) == 4
    assert all(task.mode == "reschedule" for task in sensors)


@pytest.fixture
def federations(airflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "federations"
    shutil.copytree(REPOSITORY / "dags" / "federations", folder)
    monkeypatch.setenv("FOGLINE_FEDERATIONS", str(folder))
    return folder


def test_a_broken_federation_file_is_a_dag_that_says_why(federations: Path) -> None:
    (federations / "orchard.yaml").write_text("description: An orchard\n")
    dags = load_dags(REPOSITORY / "dags")
    assert "federated_round__wind_farm" in dags
    assert "orchard.yaml: start: is missing; add it" in dags["federation_file_is_broken__orchard"].doc_md


def write_branch(federations: Path, name: str, **content: Any) -> None:
    (federations / f"wind_farm.{name}.yaml").write_text(yaml.safe_dump({"from": "main@3", **content}))


def test_a_branch_has_a_dag_of_rounds_and_no_other(federations: Path) -> None:
    file = federations / "wind_farm.yaml"
    file.write_text(file.read_text().replace("schedule: none", "schedule: live"))
    before = set(load_dags(REPOSITORY / "dags"))
    write_branch(federations, "without_fog_3", exclude=["fog-3"])
    # Read after the federation's own file, which no other DAG may take for it.
    write_branch(federations, "zeal")
    dags = load_dags(REPOSITORY / "dags")
    assert set(dags) - before == {f"federated_round__wind_farm__{name}" for name in ("without_fog_3", "zeal")}
    assert {task.federation_file for one in before for task in dags[one].tasks} == {str(file)}
    dag = dags["federated_round__wind_farm__without_fog_3"]
    assert dag.task_ids == ROUND
    assert "without_fog_3" in dag.tags and "main" in dags["federated_round__wind_farm"].tags
    assert dag.get_task("announce_round").federation_file == str(federations / "wind_farm.without_fog_3.yaml")
    assert "by hand or by backfill" in dag.timetable.description
    assert "by hand" not in dags["federated_round__wind_farm"].timetable.description


def test_the_forms_propose_the_branches_that_are_there(federations: Path) -> None:
    write_branch(federations, "slow", training={"learning_rate": 0.01})
    dags = load_dags(REPOSITORY / "dags")
    assert dags["promote_branch__wind_farm"].params.get_param("branch").schema["examples"] == ["slow"]
    assert dags["compare_branches__wind_farm"].params["second"] == "slow"


def test_a_broken_branch_file_takes_down_only_its_branch(federations: Path) -> None:
    write_branch(federations, "seeded", seed=7)
    write_branch(federations, "slow", training={"learning_rate": 0.01})
    (federations / "wind_farm.a b.yaml").write_text("from: main@3")
    dags = load_dags(REPOSITORY / "dags")
    assert {"federated_round__wind_farm", "federated_round__wind_farm__slow"} <= set(dags)
    broken = dags["federation_file_is_broken__wind_farm.seeded"]
    assert "seed: a branch can't have its own" in broken.doc_md and "wind_farm" in broken.tags
    assert "is no name of a branch" in dags["federation_file_is_broken__wind_farm.a_b"].doc_md


def test_the_history_is_written_when_any_branch_has_a_new_model(federations: Path) -> None:
    write_branch(federations, "slow")
    dag = load_dags(REPOSITORY / "dags")["record_history__wind_farm"]
    condition = dag.timetable.asset_condition
    assert type(condition).__name__ == "AssetAny"
    assert sorted(asset.uri for asset in condition.objects) == [
        "fogline://wind_farm/main",
        "fogline://wind_farm/slow",
    ]
    assert dag.task_ids == ["catch_up"] and dag.get_task("catch_up").retries == 8


def test_the_engine_is_the_federations_choice(federations: Path) -> None:
    file = federations / "wind_farm.yaml"
    file.write_text(file.read_text().replace("aggregation: spark-submit", "aggregation: spark-connect"))
    task = load_dags(REPOSITORY / "dags")["federated_round__wind_farm"].get_task("aggregate_weights")
    assert type(task).__name__ == "AggregateOnSparkConnect"
    assert task.federation_file == str(file)


@pytest.mark.parametrize(
    ("dag_id", "file"),
    [
        ("federated_round__wind_farm", "wind_farm.yaml"),
        ("federated_round__wind_farm__slow", "wind_farm.slow.yaml"),
        ("compare_branches__wind_farm", "wind_farm.yaml"),
    ],
)
def test_a_task_gets_its_own_dag_alone_and_the_same(
    dag_id: str, file: str, federations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_branch(federations, "slow", training={"learning_rate": 0.01})
    whole = load_dags(REPOSITORY / "dags")[dag_id]
    # As Airflow's task runner says for which task it loads the file.
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
    alone = load_dags(REPOSITORY / "dags")
    assert list(alone) == [dag_id]
    assert {task.federation_file for task in alone[dag_id].tasks} == {str(federations / file)}
    assert alone[dag_id].task_ids == whole.task_ids
    assert alone[dag_id].params.dump() == whole.params.dump()
