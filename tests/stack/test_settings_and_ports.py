"""Settings come from FOGLINE_ variables, and every complaint names the variable."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from fogline.metrics import PORT_VARIABLE
from fogline.stack.commands import main
from fogline.stack.credentials import kept
from fogline.stack.errors import StackError
from fogline.stack.ports import free_ports, require_free
from fogline.stack.settings import HOST, MAX_SOCKET_PATH, Settings
from fogline.stack.stack import Stack


def test_a_variable_changes_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOGLINE_KAFKA_PORT", "30001")
    assert Settings().ports["FOGLINE_KAFKA_PORT"] == 30001
    assert Settings().bootstrap_servers == "127.0.0.1:30001"


def test_metrics_have_a_port_only_when_asked_and_each_application_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch, session_stack: Stack
) -> None:
    assert not any("METRICS" in variable for variable in Settings().ports)
    monkeypatch.setenv("FOGLINE_FOG_METRICS_PORT", "9109")
    monkeypatch.setenv("FOGLINE_PRODUCER_METRICS_PORT", "9113")
    assert Settings().ports["FOGLINE_PRODUCER_METRICS_PORT"] == 9113
    fog, producer = session_stack.settings.fog_metrics_port, session_stack.settings.producer_metrics_port
    assert fog is not None and producer is not None
    programs = session_stack.parts.programs(separate=True)
    served = {one.name: one.environment for one in programs if PORT_VARIABLE in one.environment}
    ports = {f"fog-{number}": fog + number - 1 for number in range(1, 5)} | {"producer": producer}
    assert served == {name: {PORT_VARIABLE: str(port)} for name, port in ports.items()}
    assert session_stack.environment()[PORT_VARIABLE] == ""


def test_a_wrong_value_is_named_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOGLINE_AIRFLOW_PORT", "http")
    done = CliRunner().invoke(main, ["status"])
    assert done.exit_code == 1
    assert "FOGLINE_AIRFLOW_PORT=http" in done.output and "integer" in done.output


def test_a_stack_is_of_a_federation_and_not_of_a_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOGLINE_FEDERATION", "wind_farm.without_fog_3")
    said = CliRunner().invoke(main, ["status"]).output
    assert "FOGLINE_FEDERATION=wind_farm.without_fog_3" in said and "name a federation, not a branch" in said


def test_a_long_home_has_its_socket_elsewhere(tmp_path: Path) -> None:
    near, far = Settings(home=Path("/x/home")), Settings(home=tmp_path / ("long" * 30))
    assert near.supervisor_socket == Path("/x/home/supervisor.sock")
    assert len(str(far.supervisor_socket)) <= MAX_SOCKET_PATH
    assert far.supervisor_socket != Settings(home=tmp_path / ("other" * 30)).supervisor_socket


def test_a_taken_port_is_named_with_its_variable_and_holder() -> None:
    with socket.create_server((HOST, 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port} is taken by process \d+ .*FOGLINE_KAFKA_PORT"):
            require_free({"FOGLINE_KAFKA_PORT": port})
    require_free({"FOGLINE_KAFKA_PORT": port})


def test_a_port_given_twice_names_both_variables() -> None:
    (port,) = free_ports(1)
    with pytest.raises(StackError, match=r"given twice: change FOGLINE_B_PORT or FOGLINE_A_PORT"):
        require_free({"FOGLINE_A_PORT": port, "FOGLINE_B_PORT": port})


def test_a_secret_is_made_once_and_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "postgres"
    assert kept(path, "first") == "first"
    assert kept(path, "second") == "first"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("verb", ["up", "down", "status", "logs", "run", "test"])
def test_every_verb_explains_itself(verb: str) -> None:
    done = CliRunner().invoke(main, [verb, "--help"])
    assert done.exit_code == 0 and verb in done.output
