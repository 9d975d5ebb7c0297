"""Where a key lies is where real producers put it."""

import uuid

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.kafka.publish import Publisher, Record
from fogline.partitioners import Partitioner, murmur2, partition_of

N_PARTITIONS = 7
KEYS = [f"R8{number}"[: 1 + number % 9] for number in range(711, 760)] + ["°C-1", "turbine/åäö"]


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"placed-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, N_PARTITIONS, 1)])[name].result(30)
    return name


@pytest.mark.parametrize(
    ("setting", "partitioner"),
    [("murmur2_random", "murmur2"), ("murmur2", "murmur2"), ("consistent_random", "crc32"), ("consistent", "crc32")],
)
def test_as_librdkafka_places_it(kafka: str, topic: str, setting: str, partitioner: Partitioner) -> None:
    placed: dict[str, int | None] = {}
    producer = Producer({"bootstrap.servers": kafka, "partitioner": setting})
    for key in KEYS:
        producer.produce(
            topic, b"x", key, on_delivery=lambda error, message, key=key: placed.update({key: message.partition()})
        )
    assert producer.flush(30) == 0
    assert placed == {key: partition_of(key.encode(), N_PARTITIONS, partitioner) for key in KEYS}
    assert len(set(placed.values())) > 1


def test_fogline_s_own_producer_places_by_crc32(kafka: str, topic: str) -> None:
    delivered = Publisher({"bootstrap.servers": kafka}).publish([Record(topic, key, b"x") for key in KEYS])
    assert [one.partition for one in delivered] == [partition_of(key.encode(), N_PARTITIONS, "crc32") for key in KEYS]


def test_the_vectors_of_kafka_s_java_client() -> None:
    vectors = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107}
    assert {key: murmur2(key.encode()) for key in vectors} == {key: n & 0xFFFFFFFF for key, n in vectors.items()}
