"""The producer as a process against a real Kafka: killed, stopped, refused, and without a broker."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.kafka.read import TailReader, open_consumer
from producer.delivery import N_CHUNKS_IN_FLIGHT, N_READINGS_PER_CHUNK
from tests.producer.conftest import n_on_topic

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 60.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a producer whose positions lie in the test's folder; any that still runs is killed in the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(servers: str, *arguments: str) -> "subprocess.Popen[str]":
        environment = os.environ | {
            "FOGLINE_KAFKA_BOOTSTRAP_SERVERS": servers,
            "FOGLINE_PRODUCER_STATE": str(tmp_path / "state"),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")]),
        }
        command = [sys.executable, str(REPOSITORY / "producer" / "sensor_producer.py"), *arguments]
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until, "the condition did not become true before the deadline"
        time.sleep(0.02)


def read_all(servers: str, topic: str) -> Counter[tuple[str, str]]:
    config = {"bootstrap.servers": servers}
    n_records, seen = n_on_topic(servers, topic), Counter[tuple[str, str]]()
    with open_consumer(config) as consumer:
        reader = TailReader(consumer, topic, {})
        while seen.total() < n_records:
            for record in reader.poll(DEADLINE_S):
                reading = json.loads(record.value or b"")
                assert record.key == reading["sensor_id"]
                seen[reading["sensor_id"], reading["event_time"]] += 1
    return seen


def position(folder: Path) -> dict[str, int]:
    [file] = (folder / "state").glob("*.json")
    return dict(json.loads(file.read_text())["position"])


def synthetic(topic: str, *arguments: str) -> list[str]:
    sensors = [option for n in range(4) for option in ("--sensor", f"turbine-{n}")]
    return ["synthetic", *sensors, "--every", "1", "--topic", topic, *arguments]


def test_killed_it_goes_on_and_loses_nothing(kafka: str, topic: str, start: Start, tmp_path: Path) -> None:
    n_seconds = 50_000
    span = ["--from", "2024-01-01T00:00:00Z", "--to", "2024-01-01T13:53:20Z"]
    killed = start(kafka, *synthetic(topic, *span, "--speed", "5000"))
    wait_until(lambda: n_on_topic(kafka, topic) > 20_000)
    killed.kill()
    assert killed.wait(DEADLINE_S) == -signal.SIGKILL
    n_delivered = position(tmp_path)["n_readings"]
    assert 0 < n_delivered < 4 * n_seconds

    _, said = (resumed := start(kafka, *synthetic(topic, *span))).communicate(timeout=DEADLINE_S)
    assert resumed.returncode == 0, said
    assert f"{n_delivered} readings were delivered before" in said

    seen = read_all(kafka, topic)
    assert len(seen) == 4 * n_seconds
    assert seen.total() - len(seen) <= (N_CHUNKS_IN_FLIGHT + 1) * N_READINGS_PER_CHUNK

    _, said = (again := start(kafka, *synthetic(topic, *span))).communicate(timeout=DEADLINE_S)
    assert again.returncode == 0, said
    assert n_on_topic(kafka, topic) == seen.total()


def test_stopped_it_stores_exactly_what_was_delivered(kafka: str, topic: str, start: Start, tmp_path: Path) -> None:
    process = start(kafka, *synthetic(topic))
    wait_until(lambda: n_on_topic(kafka, topic) >= 8)
    process.terminate()
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, said
    assert "stopped" in said
    seen = read_all(kafka, topic)
    assert position(tmp_path)["n_readings"] == seen.total() == len(seen)


def test_an_unreachable_broker_is_named(start: Start) -> None:
    with socket.socket() as unserved:
        unserved.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{unserved.getsockname()[1]}"
        process = start(servers, *synthetic("sensor-data", "--deadline", "2"))
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert f"Error: Kafka at {servers} does not answer within 2 s" in said
    assert "Traceback" not in said


def test_a_topic_that_is_not_there_is_named(kafka: str, start: Start) -> None:
    process = start(kafka, *synthetic("sensor-dat"))
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert f"Error: topic sensor-dat: Kafka at {kafka} has no such topic" in said


def test_a_refused_reading_ends_the_producer(kafka: str, start: Start, tmp_path: Path) -> None:
    name = f"producer-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, 1, 1, config={"max.message.bytes": "100"})])[name].result(DEADLINE_S)
    process = start(kafka, *synthetic(name, "--from", "2024-01-01", "--to", "2024-01-02"))
    _, said = process.communicate(timeout=DEADLINE_S)
    admin.delete_topics([name])[name].result(DEADLINE_S)
    assert process.returncode == 1
    assert f"Error: topic {name} on {kafka}: a reading was not delivered: " in said
    assert not list(tmp_path.glob("state/*.json"))
