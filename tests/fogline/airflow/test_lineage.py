"""What OpenLineage's own provider makes of a round's tasks."""

import json
from types import SimpleNamespace

import pytest
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.sdk import DAG, BaseOperator
from airflow.utils.state import TaskInstanceState

from fogline.airflow.operators.aggregate import aggregate_weights
from fogline.airflow.operators.announce_round import AnnounceRound
from fogline.airflow.operators.publish import PublishGlobalModel
from fogline.federation import federation_file, load_federation

FILE = federation_file("wind_farm")


def datasets(task: BaseOperator) -> tuple[list[str], list[str]]:
    found = ExtractorManager().extract_metadata(SimpleNamespace(run_id="run"), task, TaskInstanceState.SUCCESS, None)
    inputs, outputs = ([f"{one.namespace} {one.name}" for one in side] for side in (found.inputs, found.outputs))
    return inputs, outputs


@pytest.fixture(autouse=True)
def kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "kafka", "extra": json.dumps({"bootstrap.servers": "a.example:9092, b.example:9092"})}
    monkeypatch.setenv("AIRFLOW_CONN_FOGLINE_KAFKA", json.dumps(connection))


def test_lineage_leads_from_model_to_model_over_topics_and_candidate() -> None:
    with DAG("round"):
        announce = AnnounceRound(task_id="announce_round", federation_file=str(FILE))
        aggregate = aggregate_weights(load_federation(FILE), federation_file=str(FILE))
        publish = PublishGlobalModel(task_id="publish", federation_file=str(FILE))
    broker, model = "kafka://a.example:9092", "fogline wind_farm/main"
    assert datasets(announce) == ([model], [f"{broker} model-blobs", f"{broker} round-plans"])
    assert datasets(aggregate) == ([model, f"{broker} model-weights"], [f"{model}/candidate"])
    assert datasets(publish) == ([f"{model}/candidate"], [model, f"{broker} global-model"])
