"""docker-compose.yaml without a container: what it promises, and that it says nothing else than the launcher does.

``prove.py`` beside this file runs it.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from rich.console import Console

from deploy.new_env import EXAMPLE, filled
from fogline.federation import load_federation
from fogline.stack import airflow, kafka, postgres
from fogline.stack.airflow import OPTIONS, Airflow
from fogline.stack.bootstrap import REPOSITORY
from fogline.stack.parts import AIRFLOW_DATABASE, LEDGER_DATABASE, NUMERICS, Parts
from fogline.stack.settings import Settings

TEXT = (REPOSITORY / "docker-compose.yaml").read_text()
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
SCHEMA = ("github.com/compose-spec/compose-go/v2@v2.9.1", "schema/compose-spec.json")
# They end when their work is done.
ONE_SHOT = {"init", "demo"}
AIRFLOW_PROGRAMS = [f"airflow-{program}" for program in airflow.PROGRAMS]
FOGS = list(load_federation(REPOSITORY / "dags" / "federations" / "wind_farm.yaml").fogs)


def example() -> dict[str, str]:
    """The settings of .env.example."""
    return dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE))


def interpolated() -> dict[str, Any]:
    """The file as compose reads it with the example's settings and a secret ``made-up``."""

    def value(found: re.Match[str]) -> str:
        return example()[found[1]] or "made-up"

    return yaml.safe_load(VARIABLE.sub(value, TEXT).replace("$$", "$"))


COMPOSE = interpolated()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "fogline:local"]


def volumes_of(service: str) -> dict[str, str]:
    """Where the service sees each volume or folder."""
    return {str(mount).split(":")[0]: str(mount).split(":")[1] for mount in SERVICES[service].get("volumes", [])}


def test_the_file_follows_the_compose_specification() -> None:
    if not shutil.which("go"):
        pytest.skip("the specification's schema comes with go, which is not on the PATH")
    done = subprocess.run(["go", "mod", "download", "-json", SCHEMA[0]], capture_output=True, text=True, check=True)
    schema = json.loads((Path(json.loads(done.stdout)["Dir"]) / SCHEMA[1]).read_text())
    faults = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)]
    assert not faults


def test_the_services_are_those_that_operations_expects() -> None:
    profiled = {name: tuple(service.get("profiles", ())) for name, service in SERVICES.items()}
    core = {"kafka", "postgres", "init", *AIRFLOW_PROGRAMS, "spark-master", "spark-worker-1", "spark-worker-2"}
    core |= {*FOGS, "producer", "statsd"}
    assert {name for name, profiles in profiled.items() if not profiles} == core
    assert {name for name, profiles in profiled.items() if profiles == ("monitoring",)} == {
        "exporter",
        "prometheus",
        "grafana",
    }
    assert {name for name, profiles in profiled.items() if profiles == ("history",)} == {"cassandra"}
    assert {name for name, profiles in profiled.items() if profiles == ("demo",)} == {"demo"}


def test_every_image_from_elsewhere_is_pinned_to_a_version() -> None:
    for name in set(SERVICES) - set(OURS):
        assert re.search(r":v?\d+\.\d+(\.\d+)?[\w.-]*$", SERVICES[name]["image"]), SERVICES[name]["image"]
    assert [name for name in OURS if "build" in SERVICES[name]] == ["init"]
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-\w+$", DOCKERFILE, flags=re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_limited_and_without_privileges(name: str) -> None:
    service = SERVICES[name]
    assert 0 < float(service["cpus"]) <= 2
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["restart"]
    assert service.get("read_only", False) == (name in OURS or name in ("statsd", "prometheus"))
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert ("healthcheck" in service) == (name not in ONE_SHOT)


def test_every_dependency_is_waited_for_by_a_condition() -> None:
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            one_shot = other in ONE_SHOT or (other == "producer" and name == "demo")
            assert wanted["condition"] == ("service_completed_successfully" if one_shot else "service_healthy")


def test_no_secret_stands_in_the_file() -> None:
    secret = {name for name, value in example().items() if not value}
    assert {name for name, mark, _ in VARIABLE.findall(TEXT) if mark == "?"} == secret
    for line in TEXT.splitlines():
        for name in re.findall(r"\b\w*(?:PASSWORD|SECRET|FERNET_KEY)\w*(?=: )|\"password\"(?=: )", line):
            assert ":?" in line or name.endswith("PASSWORDS_FILE"), line


def test_every_variable_is_in_the_example_with_the_same_default() -> None:
    settings = example()
    for name, mark, default in VARIABLE.findall(TEXT):
        assert name in settings
        assert mark == "?" or settings[name] == default
    assert set(settings) - {name for name, _, _ in VARIABLE.findall(TEXT)} == {"COMPOSE_PROFILES"}


def test_new_settings_have_a_fresh_secret_wherever_the_example_has_none() -> None:
    first, second = (dict(re.findall(r"^(\w+)=(.*)$", filled(EXAMPLE.read_text()), re.MULTILINE)) for _ in range(2))
    empty = {name for name, value in example().items() if not value}
    assert {name for name in first if first[name] != second[name]} == empty
    # The Fernet key's own rule; and none means anything in an address.
    assert all(re.fullmatch(r"[\w-]{43}=", first[name]) for name in empty)


def test_readings_stay_in_a_volume_that_only_their_fog_mounts() -> None:
    for fog in FOGS:
        assert volumes_of(fog)[fog] == "/var/lib/fogline/fog"
        assert [name for name in SERVICES if fog in volumes_of(name)] == [fog]
        assert f"--fog={fog}" in SERVICES[fog]["command"]


def test_fogs_and_producer_reach_nothing_but_the_broker() -> None:
    on_the_edge = {name for name, service in SERVICES.items() if "edge" in service["networks"]}
    assert on_the_edge == {*FOGS, "producer", "kafka", "prometheus"}
    assert all(SERVICES[name]["networks"] == ["edge"] for name in [*FOGS, "producer"])


def test_scheduler_and_api_server_share_the_model_store() -> None:
    store = re.search(r"FOGLINE_MODEL_STORE=file://(\S+)", DOCKERFILE)
    assert store
    sharing = {name for name in SERVICES if volumes_of(name).get("models") == store[1]}
    assert sharing == set(AIRFLOW_PROGRAMS)


def test_the_broker_has_the_launchers_settings() -> None:
    own = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    place = {"controller.quorum.voters", "listeners", "advertised.listeners", "listener.security.protocol.map"}
    launchers = dict(re.findall(r"^([\w.]+)=(.*)$", kafka.PROPERTIES, flags=re.MULTILINE))
    for name in set(launchers) - place - {"log.dirs"}:
        assert own[name] == launchers[name], name


def test_postgres_has_the_launchers_settings() -> None:
    command = SERVICES["postgres"]["command"]
    assert f"max_connections={postgres.SETTINGS['max_connections']}" in command


def test_what_forks_has_the_launchers_options_for_postgres(tmp_path: Path) -> None:
    launchers = Parts(Settings(home=tmp_path), Console())._airflow
    for program in airflow.PROGRAMS:
        own = SERVICES[f"airflow-{program}"]["environment"]
        options = {name: value for name, value in own.items() if name.startswith("PG")}
        assert options == launchers(program).environment


def test_airflow_is_told_of_its_place_alone_and_of_all_of_it(tmp_path: Path) -> None:
    everywhere = {f"AIRFLOW__{section}__{name}".upper() for section, own in OPTIONS.items() for name in own}
    launchers = {name for name in Airflow(Settings(home=tmp_path), "").environment() if name.startswith("AIRFLOW__")}
    image = set(re.findall(r"\bAIRFLOW__\w+(?==)", DOCKERFILE))
    # A container has every port to itself, so Airflow's own defaults do.
    ports = {"AIRFLOW__API__HOST", "AIRFLOW__API__PORT", "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"}
    ports |= {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"}
    for program in AIRFLOW_PROGRAMS:
        told = {name for name in SERVICES[program]["environment"] if name.startswith("AIRFLOW__")}
        assert not (told | image) & everywhere
        assert launchers - everywhere - ports <= told | image


def test_airflow_has_the_launchers_connections() -> None:
    launchers = airflow.connections(Settings(), {"schema": LEDGER_DATABASE})
    # There is no warm Spark server here: the aggregation is submitted to the cluster.
    del launchers["AIRFLOW_CONN_FOGLINE_SPARK_CONNECT"]
    told = SERVICES["airflow-scheduler"]["environment"]
    for name, text in launchers.items():
        assert json.loads(told[name])["conn_type"] == json.loads(text)["conn_type"], name
    spark, ledger = (json.loads(told[f"AIRFLOW_CONN_FOGLINE_{name}"]) for name in ("SPARK", "LEDGER"))
    assert f"{spark['host']}:{spark['port']}" in SERVICES["spark-worker-1"]["command"]
    assert ledger["schema"] == LEDGER_DATABASE
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith(f"/{AIRFLOW_DATABASE}")
    assert SERVICES["exporter"]["environment"]["FOGLINE_LEDGER_URL"].endswith(f"/{LEDGER_DATABASE}")


def test_the_image_computes_with_as_many_threads_as_the_launcher() -> None:
    for name, value in NUMERICS.items():
        assert re.search(rf"\b{name}={value}\b", DOCKERFILE), name


def test_what_the_image_copies_is_not_ignored() -> None:
    kept = re.findall(r"^!(\S+)$", (REPOSITORY / ".dockerignore").read_text(), flags=re.MULTILINE)
    copies = re.findall(r"^COPY((?:.*\\\n)*.*)$", DOCKERFILE, flags=re.MULTILINE)
    copied = [path for one in copies for path in one.replace("\\\n", " ").split() if not path.startswith("/")]
    assert copied
    for path in copied:
        assert path.split("/")[0] in kept, path
