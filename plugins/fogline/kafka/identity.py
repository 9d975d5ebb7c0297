"""Which topic a name means now, and where its partitions begin: a topic made anew has the same name and another id."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from fogline.kafka.access import ClientConfig, Watch
from fogline.kafka.clients import METADATA_TIMEOUT_S

# What a broker before 2.8 says for every topic.
_NO_ID = "A" * 22


@dataclass(frozen=True)
class TopicIdentity:
    """The ids of a topic and of its cluster, as far as its broker tells them."""

    cluster: str | None = None
    topic: str | None = None


class TopicDesk:
    """Answers questions about topics; for a client that `partitions_of` found to be let in."""

    def __init__(self, config: ClientConfig) -> None:
        self._watch = Watch(config)
        settings: dict[str, Any] = {**config, "error_cb": self._watch, "log_level": 0}
        self._admin = AdminClient(settings)

    def identify(self, topic: str) -> TopicIdentity:
        """Return a topic's identity.

        Raises
        ------
        KafkaLayerError
            The broker does not answer, or there is no such topic.
        KafkaAccessError
            This client may not see it.
        """
        try:
            cluster = self._admin.list_topics(topic, timeout=METADATA_TIMEOUT_S).cluster_id
            asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=METADATA_TIMEOUT_S)
            topic_id = str(asked[topic].result().topic_id)
        except KafkaException as error:
            if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:
                return TopicIdentity(cluster)
            raise self._watch.fault(f"topic {topic}", error.args[0]) from error
        return TopicIdentity(cluster, None if topic_id == _NO_ID else topic_id)

    def starts(self, topic: str, partitions: Iterable[int]) -> Mapping[int, int]:
        """Return the offsets of the first records that partitions still hold; one that can't be told is left out."""
        return self._offsets(topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def ends(self, topic: str, partitions: Iterable[int]) -> Mapping[int, int]:
        """Return the offsets behind the last records of partitions; one that can't be told is left out."""
        return self._offsets(topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def partitions(self, topic: str) -> list[int]:
        """Return a topic's partitions.

        Raises
        ------
        KafkaLayerError
            The broker does not answer, or there is no such topic.
        KafkaAccessError
            This client may not see it.
        """
        try:
            described = self._admin.list_topics(topic, timeout=METADATA_TIMEOUT_S).topics[topic]
        except KafkaException as error:
            raise self._watch.fault(f"topic {topic}", error.args[0]) from error
        if described.error is not None:
            raise self._watch.fault(f"topic {topic}", described.error)
        return sorted(described.partitions)

    def _offsets(self, topic: str, partitions: Iterable[int], which: OffsetSpec) -> Mapping[int, int]:
        wanted = {TopicPartition(topic, partition): which for partition in partitions}
        asked: Mapping[TopicPartition, Future[Any]] = self._admin.list_offsets(
            wanted, request_timeout=METADATA_TIMEOUT_S
        )
        found = {}
        for place, answer in asked.items():
            try:
                found[place.partition] = int(answer.result().offset)
            except KafkaException:
                continue
        return found
