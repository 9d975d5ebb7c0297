"""The whole stack for real."""

import json
import subprocess

import pytest

from fogline.stack.airflow_api import AirflowApi
from fogline.stack.errors import StackError
from fogline.stack.settings import Settings
from fogline.stack.stack import Stack


def test_everything_runs_and_up_again_finds_it_so(stack: Stack) -> None:
    assert not stack.up(producer=False)
    states = {one.name: one.state for one in stack.supervisor.states()}
    states.pop("producer")
    assert set(states.values()) == {"RUNNING"}
    assert "fog" in states and "airflow-triggerer" in states


def test_airflow_is_healthy_and_has_the_dag(stack: Stack) -> None:
    api = AirflowApi(stack.settings.airflow_url, "admin", stack.parts.airflow.password)
    assert api.unhealthy() == [] and api.import_errors() == {}
    assert api.has_dag("federated_round__wind_farm") and not api.has_dag("federated_round__nowhere")


def test_airflow_s_commands_work_in_the_environment(stack: Stack) -> None:
    command = ["airflow", "connections", "get", "fogline_kafka", "-o", "json"]
    done = subprocess.run(command, env=stack.environment(), capture_output=True, text=True, timeout=120)
    (found,) = json.loads(done.stdout)
    assert found["conn_type"] == "kafka" and stack.settings.bootstrap_servers in json.dumps(found)


def test_other_settings_than_the_running_stack_s_are_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"--separate is False, not True.*\./fogline down first"):
        stack.up(separate=True)
    changed = Settings(**{**stack.settings.model_dump(), "federation": "other"})
    with pytest.raises(StackError, match="FOGLINE_FEDERATION is wind_farm, not other"):
        Stack(changed).up()
