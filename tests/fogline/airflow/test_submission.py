"""What spark-submit is told for each kind of cluster, and what it is never told: a secret."""

import json
import os
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.apache.spark.hooks import spark_submit
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.sdk.exceptions import AirflowFailException

from fogline.airflow import connections
from fogline.airflow.operators.aggregate import JOB, AggregateBySparkSubmit
from fogline.airflow.submission import ROOT, archive_of_code
from fogline.artifacts import ArtifactStore
from fogline.ledger.database import Ledger
from fogline.steps.services import Services

PASSWORD = "a-wonderful-word"
SECURED = {
    "bootstrap.servers": "broker:9093",
    "security.protocol": "sasl_ssl",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "airflow",
    "sasl.password": PASSWORD,
}
PLAN = "wind_farm/main/7"


@dataclass
class Submitted:
    """What the hook would have run, and what lay there at that moment."""

    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    kafka: dict[str, str] = field(default_factory=dict)
    mode: int = 0

    def shown(self) -> list[str]:
        """Return the command with the submission's own folder left out."""
        return [part.rsplit("/", 1)[-1] if "fogline-submission-" in part else part for part in self.command]


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> Submitted:
    seen = Submitted()

    def submit(hook: SparkSubmitHook, application: str) -> None:
        seen.command = hook._build_spark_submit_command(application)
        seen.environment = {**os.environ, **(hook._env or {})}
        files = hook._files or seen.environment["FOGLINE_KAFKA_CONFIG"]
        seen.kafka = json.loads(Path(files).read_text())
        seen.mode = stat.S_IMODE(Path(files).stat().st_mode)

    monkeypatch.setattr(SparkSubmitHook, "submit", submit)
    # Its client is in another provider's dependencies, which only a cluster's user installs.
    monkeypatch.setattr(spark_submit, "kube_client", object(), raising=False)
    return seen


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any] | str, **kafka: str) -> None:
    """Submit the job of a plan by a connection."""
    written = connection if isinstance(connection, str) else json.dumps(connection)
    monkeypatch.setenv("AIRFLOW_CONN_FOGLINE_SPARK", written)
    services = Services(Ledger("sqlite://"), {**SECURED, **kafka}, ArtifactStore(f"file://{tmp_path}/models"))
    operator = AggregateBySparkSubmit(task_id="aggregate_weights", federation_file="none")
    operator.submit(services, PLAN, {})


STANDALONE = {"conn_type": "spark", "host": "spark://master", "port": 7077}
YARN = {"conn_type": "spark", "host": "yarn", "extra": {"queue": "science"}}
KUBERNETES = {"conn_type": "spark", "host": "k8s://https://kube", "port": 6443, "extra": {"namespace": "fogline"}}
CLUSTER = {"deploy-mode": "cluster"}
CODE, END = ["--py-files", "fogline.zip"], [str(JOB), "--plan", PLAN]


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        ({"conn_type": "spark", "host": "local[2]"}, ["local[2]", "--name", "aggregate_round"]),
        (STANDALONE, ["spark://master:7077", *CODE, "--name", "aggregate_round"]),
        ("spark://master:7077", ["spark://master:7077", *CODE, "--name", "aggregate_round"]),
        (YARN, ["yarn", *CODE, "--name", "aggregate_round", "--queue", "science"]),
        (
            KUBERNETES,
            [
                "k8s://https://kube:6443",
                *("--conf", "spark.kubernetes.namespace=fogline"),
                *CODE,
                *("--name", "aggregate_round"),
            ],
        ),
    ],
    ids=["local", "standalone", "standalone by URI", "yarn", "kubernetes"],
)
def test_in_client_mode_the_driver_is_told_by_its_environment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    submitted: Submitted,
    connection: dict[str, Any] | str,
    expected: list[str],
) -> None:
    before = dict(os.environ)
    run(tmp_path, monkeypatch, connection)
    assert submitted.shown() == ["spark-submit", "--master", *expected, *END]
    assert submitted.environment["FOGLINE_MODEL_STORE"] == f"file://{tmp_path}/models"
    assert submitted.environment["PYTHONPATH"].startswith(f"{ROOT}{os.pathsep}{ROOT / 'plugins'}")
    assert (submitted.kafka, submitted.mode) == (SECURED, 0o600)
    # Nothing stays: neither in this process' environment nor on the disk.
    assert {name for name in os.environ if name not in before} <= {"AIRFLOW_CONN_FOGLINE_SPARK"}
    assert not Path(submitted.environment["FOGLINE_KAFKA_CONFIG"]).exists()


@pytest.mark.parametrize(
    ("connection", "variable", "last"),
    [
        ({**YARN, "extra": CLUSTER}, "spark.yarn.appMasterEnv", []),
        (
            {**KUBERNETES, "extra": {"namespace": "fogline", **CLUSTER}},
            "spark.kubernetes.driverEnv",
            ["--conf", "spark.kubernetes.namespace=fogline"],
        ),
    ],
    ids=["yarn", "kubernetes"],
)
def test_in_cluster_mode_the_settings_are_shipped_as_a_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    submitted: Submitted,
    connection: dict[str, Any],
    variable: str,
    last: list[str],
) -> None:
    run(tmp_path, monkeypatch, connection)
    assert submitted.shown() == [
        *("spark-submit", "--master", "yarn" if "yarn" in variable else "k8s://https://kube:6443"),
        *("--conf", f"{variable}.FOGLINE_MODEL_STORE=file://{tmp_path}/models"),
        *("--conf", f"{variable}.FOGLINE_KAFKA_CONFIG=kafka.json"),
        *last,
        *("--files", "kafka.json", *CODE, "--name", "aggregate_round", "--deploy-mode", "cluster"),
        *END,
    ]
    assert (submitted.kafka, submitted.mode) == (SECURED, 0o600)


@pytest.mark.parametrize("connection", [STANDALONE, YARN, {**YARN, "extra": CLUSTER}, KUBERNETES])
def test_no_secret_is_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submitted: Submitted, connection: dict[str, Any]
) -> None:
    run(tmp_path, monkeypatch, connection)
    assert submitted.command and not [part for part in submitted.command if PASSWORD in part]


def test_authorities_go_along_as_content_because_the_driver_may_be_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submitted: Submitted
) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    run(tmp_path, monkeypatch, STANDALONE, **{"ssl.ca.location": str(authority)})
    assert submitted.kafka["ssl.ca.pem"] == authority.read_text() and "ssl.ca.location" not in submitted.kafka


@pytest.mark.parametrize(
    ("connection", "kafka", "says"),
    [
        ({**STANDALONE, "extra": CLUSTER}, {}, "a standalone cluster does not run Python drivers"),
        (STANDALONE, {"sasl.mechanism": "OAUTHBEARER"}, "sasl.mechanism=OAUTHBEARER has no counterpart"),
        (STANDALONE, {"ssl.ca.location": "/nowhere.pem"}, "ssl.ca.location=/nowhere.pem: No such file"),
    ],
)
def test_what_can_not_work_fails_at_once_with_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    submitted: Submitted,
    connection: dict[str, Any],
    kafka: dict[str, str],
    says: str,
) -> None:
    with pytest.raises(AirflowFailException, match=says):
        run(tmp_path, monkeypatch, connection, **kafka)
    assert submitted.command == []


def test_kubernetes_without_its_client_names_the_provider_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submitted: Submitted
) -> None:
    monkeypatch.delattr(spark_submit, "kube_client")
    with pytest.raises(AirflowFailException, match="install apache-airflow-providers-cncf-kubernetes"):
        run(tmp_path, monkeypatch, KUBERNETES)


def test_the_archive_is_all_that_a_worker_needs_of_fogline(tmp_path: Path) -> None:
    archive = archive_of_code(tmp_path / "fogline.zip")
    names = zipfile.ZipFile(archive).namelist()
    assert "fogline/kafka/read.py" in names and "spark_jobs/aggregation/task.py" in names
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = "import spark_jobs.aggregation.task as task, spark_jobs.aggregate_round; print(task.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "PYTHONPATH": str(archive)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(archive)), done.stderr


def test_the_ledger_s_connection_takes_tls_settings_from_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    described = {"conn_type": "postgres", "host": "db", "login": "fogline", "password": "p", "schema": "ledger"}
    monkeypatch.setenv("AIRFLOW_CONN_FOGLINE_LEDGER", json.dumps({**described, "extra": {"sslmode": "require"}}))
    assert connections.ledger_url() == "postgresql+psycopg2://fogline:p@db/ledger?sslmode=require"
