"""Publishing and reading by offset, on the real broker."""

import functools
import uuid
from collections.abc import Callable

import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from fogline.blocks import BLOCK_N_PARAMETERS, BlockError
from fogline.kafka.clients import KafkaLayerError
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import TailReader, end_of, open_consumer, read_exact
from fogline.kafka.topics import ensure_topics
from fogline.kafka.vectors import fetch_vector, send_vector
from fogline.stack.waiting import wait_until

MakeTopic = Callable[..., str]


@pytest.fixture
def config(kafka: str) -> dict[str, str]:
    return {"bootstrap.servers": kafka}


@pytest.fixture
def make_topic(config: dict[str, str]) -> MakeTopic:
    def make(n_partitions: int = 1, **settings: str) -> str:
        name = f"test-{uuid.uuid4().hex[:8]}"
        admin = AdminClient(config)
        topic = NewTopic(name, n_partitions, 1, config={k.replace("_", "."): v for k, v in settings.items()})
        for created in admin.create_topics([topic]).values():
            created.result(30)

        def is_led() -> bool:
            partitions = admin.list_topics(name, timeout=10).topics[name].partitions.values()
            return len(partitions) == n_partitions and all(p.leader >= 0 for p in partitions)

        wait_until(is_led, what=name, deadline_s=30)
        return name

    return make


def test_a_vector_of_many_blocks_is_found_again_by_its_offsets(config: dict[str, str], make_topic: MakeTopic) -> None:
    topic = make_topic(4)
    vector = np.random.default_rng(0).normal(size=5 * BLOCK_N_PARAMETERS + 7).astype(np.float32)
    sent = send_vector(Publisher(config), topic, "plan/fog", vector, 4)
    assert [block.partition for block in sent.blocks] == [0, 1, 2, 3, 0, 1]
    assert np.array_equal(fetch_vector(config, sent), vector)


def test_a_vector_that_is_not_what_its_manifest_says_is_refused(config: dict[str, str], make_topic: MakeTopic) -> None:
    sent = send_vector(Publisher(config), make_topic(), "k", np.ones(3, np.float32), 1)
    with pytest.raises(BlockError, match="digest"):
        fetch_vector(config, sent.model_copy(update={"digest": "0" * 64}))


def test_a_record_over_the_topics_limit_names_topic_size_and_reason(
    config: dict[str, str], make_topic: MakeTopic
) -> None:
    topic = make_topic(max_message_bytes="1000")
    with pytest.raises(KafkaLayerError, match=rf"{topic}: record big of 5000 bytes was not delivered: .*too large"):
        Publisher(config).publish([Record(topic, "big", bytes(5000))])


def test_a_broker_that_is_away_is_named_with_the_reason() -> None:
    away = {"bootstrap.servers": "127.0.0.1:1"}
    with pytest.raises(KafkaLayerError, match=r"model-updates: record k of 1 bytes .*127\.0\.0\.1:1"):
        Publisher(away, delivery_timeout_s=1.0).publish([Record("model-updates", "k", b"x")])


def read_six(reader: TailReader, found: list[bytes | None]) -> bool:
    found += [record.value for record in reader.poll(0.5)]
    return len(found) >= 6


def test_the_tail_is_read_from_the_cursor_whatever_others_read(config: dict[str, str], make_topic: MakeTopic) -> None:
    topic = make_topic(3)
    publisher = Publisher(config)
    publisher.publish([Record(topic, f"k{n}", str(n).encode(), n % 3) for n in range(9)])
    cursor = {0: 1, 2: 2}
    for _ in range(2):
        with open_consumer(config) as consumer:
            reader = TailReader(consumer, topic, cursor)
            found: list[bytes | None] = []
            wait_until(functools.partial(read_six, reader, found), what="six records", deadline_s=20)
            assert sorted(value for value in found if value) == [b"1", b"3", b"4", b"6", b"7", b"8"]
            assert reader.cursor == end_of(config, topic) == {0: 3, 1: 3, 2: 3}


def test_expired_records_are_counted_and_never_waited_for(config: dict[str, str], make_topic: MakeTopic) -> None:
    topic = make_topic()
    Publisher(config).publish([Record(topic, "k", b"x")] * 5)
    admin = AdminClient(config)
    for done in admin.delete_records([TopicPartition(topic, 0, 3)]).values():
        done.result(30)
    with open_consumer(config) as consumer:
        reader = TailReader(consumer, topic, {0: 1})
        assert (reader.n_expired, reader.cursor) == (2, {0: 3})
    with pytest.raises(KafkaLayerError, match=rf"{topic}\[0\]"):
        read_exact(config, topic, {0: [1]}, 2.0)


def test_topics_are_made_once_and_another_setting_is_refused(kafka: str, config: dict[str, str]) -> None:
    ensure_topics(kafka)
    assert ensure_topics(kafka) == []
    # Its calls end with it, so it is kept.
    admin = AdminClient(config)

    def alter(value: str) -> None:
        entry = ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, "model-weights", incremental_configs=[entry])
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(30)

    def refusal() -> str:
        try:
            ensure_topics(kafka)
        except KafkaLayerError as error:
            return str(error)
        return ""

    # The broker takes a moment to act on a changed setting.
    alter("60000")
    try:
        said = "topic model-weights: retention.ms is 60000, it must be"
        wait_until(lambda: said in refusal(), what=said, deadline_s=30)
    finally:
        alter(str(30 * 24 * 3600 * 1000))
        wait_until(lambda: not refusal(), what="the setting as it was", deadline_s=30)
