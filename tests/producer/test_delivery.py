"""The position moves only over what Kafka has acknowledged, whichever partition answers first."""

import math
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from confluent_kafka import KafkaError

from fogline.kafka.topics import REPLAY_HEADER
from producer import delivery as module
from producer.delivery import N_CHUNKS_IN_FLIGHT, Delivery
from producer.errors import ProducerError
from producer.metrics import ProducerMetrics
from producer.position import Position

MESSAGES = [(b"a", b"{}"), (b"b", b"{}")]


class HeldBack:
    """A client whose delivery reports come when the test says so."""

    def __init__(self) -> None:
        self.reports: list[Callable[[KafkaError | None, None], None]] = []
        self.at_poll: Callable[[], None] = lambda: None

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Any, headers: Any) -> None:
        self.reports.append(on_delivery)
        self.headers = headers

    def poll(self, timeout: float) -> int:
        self.at_poll()
        return 0

    def purge(self) -> None:
        pass

    def __len__(self) -> int:
        return 3


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> HeldBack:
    made = HeldBack()
    monkeypatch.setattr(module, "make_producer", lambda *_, **__: made)
    return made


@pytest.fixture
def stored() -> list[int]:
    return []


@pytest.fixture
def metrics() -> ProducerMetrics:
    return ProducerMetrics(math.inf)


@pytest.fixture
def delivery(client: HeldBack, stored: list[int], metrics: ProducerMetrics) -> Delivery:
    return Delivery(
        {"bootstrap.servers": "kafka:9092"},
        "sensor-data",
        deadline_s=5,
        on_delivered=lambda position: stored.append(position.n_readings),
        stop=Event(),
        metrics=metrics,
    )


def test_a_later_chunk_acknowledged_first_does_not_move_the_position(
    client: HeldBack, delivery: Delivery, stored: list[int]
) -> None:
    delivery.send(MESSAGES, Position(1, 2, 2))
    delivery.send(MESSAGES, Position(2, 2, 4))
    first_a, first_b, second_a, second_b = client.reports
    for report in (second_a, second_b, first_a):
        report(None, None)
    delivery.settle(2)
    assert stored == []
    first_b(None, None)
    delivery.settle(2)
    assert stored == [2, 4]


def test_what_kafka_acknowledged_and_what_it_refused_is_counted(
    client: HeldBack, delivery: Delivery, metrics: ProducerMetrics
) -> None:
    def counted(name: str) -> float | None:
        return metrics.registry.get_sample_value(f"fogline_producer_{name}")

    delivery.send(MESSAGES, Position(1_000_000, 2, 2))
    delivery.send(MESSAGES, Position(2_000_000, 2, 4))
    for report in client.reports[:2]:
        report(None, None)
    client.reports[2](KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None)
    with pytest.raises(ProducerError):
        delivery.settle()
    assert counted("readings_delivered_total") == 2
    assert counted("delivered_bytes_total") == 6
    assert counted("newest_reading_timestamp_seconds") == 1
    assert counted("delivery_errors_total") == 1
    assert counted("queued_readings") == 3


@pytest.mark.parametrize(("is_replay", "headers"), [(False, []), (True, [(REPLAY_HEADER, b"1")])])
def test_a_replay_says_so_in_each_record(
    client: HeldBack, metrics: ProducerMetrics, is_replay: bool, headers: list[tuple[str, bytes]]
) -> None:
    config = {"bootstrap.servers": "kafka:9092"}
    options = {"deadline_s": 5, "on_delivered": print, "stop": Event(), "metrics": metrics, "is_replay": is_replay}
    Delivery(config, "sensor-data", **options).send(MESSAGES, Position(1, 2, 2))
    assert client.headers == headers


def test_sending_waits_while_too_much_is_in_flight(client: HeldBack, delivery: Delivery, stored: list[int]) -> None:
    def acknowledge_all() -> None:
        if len(client.reports) > N_CHUNKS_IN_FLIGHT * len(MESSAGES):
            for report in client.reports:
                report(None, None)
            client.reports.clear()

    client.at_poll = acknowledge_all
    for n_chunks in range(1, N_CHUNKS_IN_FLIGHT + 2):
        delivery.send(MESSAGES, Position(n_chunks, 2, n_chunks))
    assert stored[0] == 1


def test_one_refused_reading_ends_the_stream_and_its_position_is_not_passed(
    client: HeldBack, delivery: Delivery, stored: list[int]
) -> None:
    delivery.send(MESSAGES, Position(1, 2, 2))
    client.reports[0](None, None)
    client.reports[1](KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None)
    with pytest.raises(ProducerError, match=r"^topic sensor-data on kafka:9092: a reading was not delivered: .*size"):
        delivery.settle()
    assert stored == []
