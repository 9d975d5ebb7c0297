"""A farm whose readings and plans lie on a real broker, and a fog as a process."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import Message

from fogline.blocks import vector_digest
from fogline.federation import Federation
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import TailReader, end_of, open_consumer
from fogline.kafka.topics import MODEL_BLOBS, MODEL_UPDATES, N_BLOBS_PARTITIONS, ROUND_PLANS, SENSOR_DATA_REJECTED
from fogline.kafka.vectors import send_vector
from fogline.messages.answer import Answer
from fogline.messages.plan import Interval, ModelReference, Plan
from fogline.stack.waiting import log_tail, wait_until
from spark_jobs.fog.answer import Answerer
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import at, line, span, unit_scaler
from tests.support.plans import train_plan

DEADLINE_S = 90.0
ZEROS = np.zeros(2, np.float32)


class Farm:
    """A federation on a broker, from the cloud's and the sensors' side."""

    def __init__(
        self, bootstrap_servers: str, own: Federation, topic: str, config: Mapping[str, str] | None = None
    ) -> None:
        self.bootstrap_servers, self.own, self.topic = bootstrap_servers, own, topic
        self._config = config or {"bootstrap.servers": bootstrap_servers}
        self._publisher = Publisher(self._config)
        self._updates_from = end_of(self._config, MODEL_UPDATES)

    def send(self, values: Iterable[tuple[str, bytes | None]], headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Send records by key."""
        self._publisher.publish([Record(self.topic, key, value, headers=headers) for key, value in values])

    def send_readings(self, *tables: pa.Table) -> None:
        """Send stored readings as sensors would."""
        rows = [row for table in tables for row in table.to_pylist()]
        self.send((row["sensor_id"], reading_json(row)) for row in rows)

    def model(self, name: str, vector: npt.ArrayLike) -> ModelReference:
        """Send a model's blocks."""
        weights = send_vector(self._publisher, MODEL_BLOBS, name, np.asarray(vector, np.float32), N_BLOBS_PARTITIONS)
        return ModelReference(name=name, version="main@0", weights=weights)

    def announce(self, plan: Plan) -> None:
        """Send a plan."""
        self._publisher.publish([Record(ROUND_PLANS, f"{plan.federation}/{plan.branch}", plan.to_bytes())])

    def answer_to(self, plan: Plan) -> Answer:
        """Wait for the answer to a plan."""
        with open_consumer(self._config) as consumer:
            reader = TailReader(consumer, MODEL_UPDATES, self._updates_from)
            until = time.monotonic() + DEADLINE_S
            while time.monotonic() < until:
                for record in reader.poll(1.0):
                    answer = json.loads(record.value or b"{}")
                    if answer.get("plan_id") == plan.plan_id:
                        return Answer.from_bytes(record.value)
        raise AssertionError(f"no answer to {plan.plan_id} within {DEADLINE_S:g} s")

    def rejected(self, n_records: int) -> list[tuple[bytes | None, dict[str, str]]]:
        """Wait for so many quarantined records of this farm; return their bytes and headers."""
        found: list[tuple[bytes | None, dict[str, str]]] = []
        with open_consumer(self._config) as consumer:
            reader = TailReader(consumer, SENSOR_DATA_REJECTED, {})
            consumer.assign(consumer.assignment())
            until = time.monotonic() + DEADLINE_S
            while len(found) < n_records and time.monotonic() < until:
                for message in consumer.consume(100, 0.5):
                    headers = headers_of(message)
                    if headers.get("topic") == self.topic:
                        value = message.value()
                        found.append((value if isinstance(value, bytes) else None, headers))
        assert reader.n_expired == 0
        return found


def to_train(farm: Farm, number: int = 1, first: int = 0) -> Plan:
    """Return a plan to train on the third and fourth of the five days from day ``first`` of 2024."""
    return train_plan(
        farm.own,
        plan_id=f"{farm.own.federation}/main/{number}",
        interval=Interval(index=first + 3, start=at(first + 3), end=at(first + 4)),
        window=span(first + 2, first + 4),
        models=(farm.model("base", ZEROS),),
        scaler=unit_scaler(),
        deadline_s=120.0,
    )


def expected_digest(farm: Farm, plan: Plan, folder: Path, first: int = 0) -> str:
    """Return what the fog must answer, computed here from the same readings: five days from ``first``."""
    store = made.store(farm.own, folder / "expected")
    store.write("c-0", line(farm.own, "s1", first, first + 5))
    store.write("c-1", line(farm.own, "s3", first, first + 5))
    unused = made.unused(farm.own, folder / "expected")
    answerer = Answerer(farm.own.specification(), "fog-a", store, unused, lambda weights: ZEROS)
    weights = answerer.answer(plan, ()).weights
    assert weights is not None
    return vector_digest(weights)


class FogProcess:
    """spark-submit with its log; killed whole, Java and Python."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def wait_for(self, text: str) -> None:
        """Wait until the log has a text."""

        def there() -> bool:
            assert self._process.poll() is None, f"the fog ended{log_tail(self.log)}"
            return text in self.said()

        wait_until(there, what=repr(text), deadline_s=DEADLINE_S, log=self.log)

    def said(self) -> str:
        """Return the log so far."""
        return self.log.read_text(errors="replace")

    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self._process.poll() is None

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let both processes stand still meanwhile."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def terminate(self) -> int:
        """Ask both processes to end, as the supervisor does; return the exit code."""
        os.killpg(self._process.pid, signal.SIGTERM)
        return self._process.wait(DEADLINE_S)

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return self._process.wait(DEADLINE_S)

    def kill(self) -> None:
        """Kill both processes where they stand."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_S)


def reading_json(row: Mapping[str, Any]) -> bytes:
    """Return a stored reading as it was sent."""
    fields = {name: row[name] for name in ("x", "y") if row[name] is not None}
    return json.dumps({"sensor_id": row["sensor_id"], "event_time": row["event_time"].isoformat(), **fields}).encode()


def headers_of(message: Message) -> dict[str, str]:
    """Return a record's headers as text."""
    return {name: value.decode() for name, value in message.headers() or [] if isinstance(value, bytes)}
