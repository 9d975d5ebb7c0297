"""Topics of a test's own, producers as processes, and what they put on Kafka."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.kafka.clients import KafkaLayerError
from fogline.kafka.read import end_of, open_consumer
from fogline.stack.ports import free_ports
from fogline.stack.waiting import log_tail, wait_until
from tests.support.prometheus import HOST, scraped_text

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 60.0


def n_on_topic(servers: str, topic: str) -> int:
    return sum(end_of({"bootstrap.servers": servers}, topic).values())


def make_topic(servers: str, name: str, **settings: str) -> None:
    """Make a topic of three partitions and wait until each has its leader, which takes a moment longer."""
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(name, 3, 1, config=settings)])[name].result(DEADLINE_S)

    def is_led() -> bool:
        try:
            return n_on_topic(servers, name) == 0
        except KafkaLayerError:
            return False

    wait_until(is_led, what=name, deadline_s=DEADLINE_S)


def drop_topic(servers: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    admin.delete_topics([name])[name].result(DEADLINE_S)


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    name = f"producer-{uuid.uuid4().hex[:8]}"
    make_topic(kafka, name)
    yield name
    drop_topic(kafka, name)


def records(servers: str, topic: str) -> list[Message]:
    """Return all records of a topic, each partition's in order."""
    ends = {partition: end for partition, end in end_of({"bootstrap.servers": servers}, topic).items() if end}
    found: list[Message] = []
    with open_consumer({"bootstrap.servers": servers}) as consumer:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
        while len(found) < sum(ends.values()):
            message = consumer.poll(DEADLINE_S)
            assert message is not None and message.error() is None
            found.append(message)
    return found


class Live:
    """A live producer as a process; its state stays from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self.state, self._log = folder / "state", folder / "producer.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, servers: str, *arguments: str, **environment: str) -> None:
        (self._port,) = free_ports(1)
        own = {
            "FOGLINE_KAFKA_BOOTSTRAP_SERVERS": servers,
            "FOGLINE_PRODUCER_STATE": str(self.state),
            "FOGLINE_METRICS_PORT": str(self._port),
            "FOGLINE_METRICS_ADDRESS": HOST,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")]),
        }
        command = [sys.executable, "-m", "producer.sensor_producer", *arguments]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(command, env={**os.environ, **own, **environment}, stderr=output)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def await_said(self, text: str) -> None:
        self.until(lambda: text in self.said, what=f"{text!r} in the log")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        def holds() -> bool:
            assert self._process and self._process.poll() is None, f"it ended{log_tail(self._log)}"
            return condition()

        wait_until(holds, what=what, deadline_s=DEADLINE_S, log=self._log, every_s=0.05)

    def metric(self, name: str) -> float:
        lines = scraped_text(self._port, self._log).splitlines()
        (value,) = [line.split()[1] for line in lines if line.startswith(f"fogline_producer_{name} ")]
        return float(value)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        assert self._process.wait(DEADLINE_S) == -signal.SIGKILL

    def stop(self) -> None:
        assert self._process
        self._process.terminate()
        assert self._process.wait(DEADLINE_S) == 0, self.said

    def fails(self) -> str:
        """Wait for its end with an error and return its last line."""
        assert self._process
        assert self._process.wait(DEADLINE_S) == 1, self.said
        assert "Traceback" not in self.said
        return self.said.splitlines()[-1]

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(DEADLINE_S)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path)
    yield made
    made.close()
