"""A topic that was made anew is told from the one that it replaces, by the real broker."""

import uuid

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.kafka.access import UnknownTopicError
from fogline.kafka.identity import TopicDesk
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import open_consumer, partitions_of
from fogline.stack.waiting import wait_until


def make(admin: AdminClient, topic: str, n_partitions: int) -> None:
    admin.create_topics([NewTopic(topic, n_partitions, 1)])[topic].result(30)

    def is_led() -> bool:
        found = admin.list_topics(topic, timeout=10).topics[topic].partitions.values()
        return len(found) == n_partitions and all(one.leader >= 0 for one in found)

    wait_until(is_led, what=topic, deadline_s=30)


def test_a_topic_made_anew_has_another_id_on_the_same_cluster(kafka: str) -> None:
    config = {"bootstrap.servers": kafka}
    admin, desk, topic = AdminClient(config), TopicDesk(config), f"test-{uuid.uuid4().hex[:8]}"
    with open_consumer(config) as consumer, pytest.raises(UnknownTopicError, match="topics creates it"):
        partitions_of(consumer, topic)
    with pytest.raises(UnknownTopicError, match=topic):
        desk.identify(topic)
    make(admin, topic, 1)
    first = desk.identify(topic)
    assert first.cluster and first.topic
    assert desk.identify(topic) == TopicDesk(config).identify(topic) == first

    admin.delete_topics([topic])[topic].result(30)
    make(admin, topic, 1)
    second = desk.identify(topic)
    assert second.cluster == first.cluster
    assert second.topic != first.topic


def test_a_partition_begins_at_the_first_record_that_it_holds(kafka: str) -> None:
    config = {"bootstrap.servers": kafka}
    admin, topic = AdminClient(config), f"test-{uuid.uuid4().hex[:8]}"
    make(admin, topic, 2)
    Publisher(config).publish([Record(topic, "k", b"v", partition=1)] * 5)
    place = TopicPartition(topic, 1, 3)
    admin.delete_records([place])[place].result(30)
    desk = TopicDesk(config)
    assert desk.starts(topic, [0, 1]) == {0: 0, 1: 3}
    assert desk.starts(topic, [1, 7]) == {1: 3}
