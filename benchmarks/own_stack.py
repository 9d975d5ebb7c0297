"""A benchmark's own stack on a fresh state and free ports, with a DAG file or branches of the benchmark's own."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from fogline.dag_ids import ROUND, dag_id
from fogline.federation import federation_file
from fogline.stack.airflow import OPTIONS, USER
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.ports import free_ports
from fogline.stack.settings import Settings
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until

FEDERATION = "wind_farm"
DAG_FILES = Path(__file__).parent / "dags"
LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
# What Airflow reads where no bundles are configured: its folder of DAGs.
DEFAULT_BUNDLES = json.dumps([{"name": "dags-folder", "classpath": LOCAL_BUNDLE, "kwargs": {}}])
PARSE_DEADLINE_S = 300


@contextmanager
def fresh_stack(engine: str, seed: int) -> Iterator[Stack]:
    """Give a stack on a fresh state, whose wind farm has an engine and a seed."""
    with tempfile.TemporaryDirectory(prefix="fogline-rounds-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        # Postgres may run as another user.
        home.chmod(0o755)
        federations = home / "federations"
        federations.mkdir()
        content = yaml.safe_load(federation_file(FEDERATION).read_text())
        changed = {**content, "aggregation": engine, "seed": seed}
        (federations / f"{FEDERATION}.yaml").write_text(yaml.safe_dump(changed))
        names = [field for field in Settings.model_fields if field.endswith("_port")]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        stack = Stack(Settings(home=home, tools=Settings().tools, federations=federations, **ports))
        try:
            yield stack
        finally:
            stack.down()


def add_dag_files() -> None:
    """Have the Airflow of stacks that this process starts from now on read the benchmarks' DAG files too."""
    options = OPTIONS["dag_processor"]
    bundles = json.loads(str(options.get("dag_bundle_config_list", DEFAULT_BUNDLES)))
    own = {"name": "benchmarks", "classpath": LOCAL_BUNDLE, "kwargs": {"path": str(DAG_FILES)}}
    options["dag_bundle_config_list"] = json.dumps([*bundles, own])


def airflow_of(stack: Stack) -> AirflowApi:
    """Return the API of a stack's Airflow."""
    return AirflowApi(stack.settings.airflow_url, USER, stack.parts.airflow.password)


def await_dag(stack: Stack, dag: str) -> None:
    """Wait until Airflow has a DAG."""
    api, log = airflow_of(stack), stack.supervisor.log("airflow-dag-processor")
    wait_until(lambda: api.has_dag(dag), what=dag, deadline_s=PARSE_DEADLINE_S, log=log, every_s=0.5)


def add_branch(stack: Stack, branch: str, **content: Any) -> str:
    """Write the file of a branch that begins at the first model, and return the id of its DAG once it is there."""
    file = federation_file(FEDERATION, branch, stack.settings.federations)
    file.write_text(yaml.safe_dump({"description": f"The branch {branch}", "from": "main@0", **content}))
    dag = dag_id(ROUND, FEDERATION, branch)
    await_dag(stack, dag)
    return dag
