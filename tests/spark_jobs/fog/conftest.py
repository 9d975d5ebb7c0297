"""A farm on the session's broker, and fogs that run as processes of their own."""

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.kafka.topics import ensure_topics
from fogline.stack.stack import Stack
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.process import Farm, FogProcess
from tests.support.crashes import KILLPOINTS, Armory

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def make_farm(kafka: str, tmp_path: Path) -> Callable[..., Farm]:
    """Make a federation with a name and a topic of its own, so that tests don't see each other's readings."""
    ensure_topics(kafka)

    def make(**changes: Any) -> Farm:
        name = f"farm_{uuid.uuid4().hex[:8]}"
        topic = f"readings-{name}"
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
        fogs = {"fog-a": {"sensors": ["s1", "s3"], "topic": topic}}
        own = made.federation(tmp_path, name=name, fogs=fogs, **changes)
        return Farm(kafka, own, topic)

    return make


@pytest.fixture
def spark_environment(session_stack: Stack) -> dict[str, str]:
    """The variables with which spark-submit runs here."""
    spark = session_stack.parts.spark
    spark.prepare()
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")])
    return {**os.environ, **spark.environment(Path(sys.executable)), "PYTHONPATH": path}


@pytest.fixture
def start_fog(
    session_stack: Stack, spark_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., FogProcess]]:
    """Start fogs of a farm with their data in the test's folder; what still runs in the end is killed."""
    started: list[FogProcess] = []

    def start(farm: Farm, *fogs: str, **variables: str) -> FogProcess:
        environment = {
            **spark_environment,
            **variables,
            "FOGLINE_KAFKA_BOOTSTRAP_SERVERS": farm.bootstrap_servers,
            "FOGLINE_FOG_DATA": str(tmp_path / "data"),
        }
        chosen = [part for fog in fogs or ("fog-a",) for part in ("--fog", fog)]
        main = [str(REPOSITORY / "spark_jobs" / "fog_node.py"), "--federation", farm.own.federation, *chosen]
        command = session_stack.parts.spark.submit("--master", "local[1]", *main, "--federations", str(tmp_path))
        started.append(FogProcess(command, environment, tmp_path / f"fog-{len(started)}.log"))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def run_until_killed(
    armory: Armory, spark_environment: dict[str, str], start_fog: Callable[..., FogProcess]
) -> Iterator[Callable[..., FogProcess]]:
    """Start fogs whose process kills itself at a kill point, and wait for that."""
    path = os.pathsep.join([str(KILLPOINTS), spark_environment["PYTHONPATH"]])

    def run(farm: Farm, point: str, *fogs: str) -> FogProcess:
        armory.arm(point, "kill")
        process = start_fog(farm, *fogs, FOGLINE_KILLPOINTS=str(armory.folder), PYTHONPATH=path)
        # Java ends by itself once Python is gone.
        assert process.wait() != 0
        assert armory.taken(point), process.said()[-3000:]
        return process

    yield run
    armory.clear()
