"""Topics and records as only Kafka's own tools make them: by partition, time and codec, expired, made anew."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from fogline.stack.waiting import wait_until

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TIMEOUT_S = 30.0
_HEADER = struct.Struct(">qiibiH")


class RawTopic:
    """A topic from the broker's side."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        self.name, self._config = name, {"bootstrap.servers": bootstrap_servers}
        self._admin = AdminClient(self._config)

    def make(self, n_partitions: int, **settings: str) -> None:
        """Make it and wait for its leaders; in names of settings an underscore stands for a dot."""
        config = {key.replace("_", "."): value for key, value in settings.items()}
        self._admin.create_topics([NewTopic(self.name, n_partitions, 1, config=config)])[self.name].result(TIMEOUT_S)
        self._await_leaders(n_partitions)

    def delete(self) -> None:
        """Delete it."""
        self._admin.delete_topics([self.name])[self.name].result(TIMEOUT_S)

    def widen(self, n_partitions: int) -> None:
        """Give it more partitions, so many in all."""
        wider = NewPartitions(self.name, n_partitions)
        self._admin.create_partitions([wider])[self.name].result(TIMEOUT_S)
        self._await_leaders(n_partitions)

    def expire(self, partition: int, before: int) -> None:
        """Take away the records before an offset, as retention does."""
        place = TopicPartition(self.name, partition, before)
        self._admin.delete_records([place])[place].result(TIMEOUT_S)

    def set(self, name: str, value: str) -> None:
        """Change a setting."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.name, incremental_configs=[entry])
        self._admin.incremental_alter_configs([resource])[resource].result(TIMEOUT_S)

    def send(
        self,
        partition: int,
        records: Sequence[tuple[str, bytes]],
        codec: str = "none",
        timestamps_ms: Iterable[int] = (),
    ) -> None:
        """Send records as one batch; those without a timestamp get the time of now."""
        # Long enough for all of them, since what is alone in its batch is not compressed.
        self._send(
            Producer({**self._config, "compression.type": codec, "linger.ms": 100}), partition, records, timestamps_ms
        )

    def send_in_a_transaction(self, partition: int, records: Sequence[tuple[str, bytes]]) -> None:
        """Send records whose commit takes an offset of its own, behind them."""
        producer = Producer({**self._config, "transactional.id": self.name})
        producer.init_transactions(TIMEOUT_S)
        producer.begin_transaction()
        self._send(producer, partition, records, ())
        producer.commit_transaction(TIMEOUT_S)

    def _send(
        self,
        producer: Producer,
        partition: int,
        records: Sequence[tuple[str, bytes]],
        timestamps_ms: Iterable[int],
    ) -> None:
        times = [*timestamps_ms, *[0] * len(records)]
        faults: list[object] = []
        for (key, value), time_ms in zip(records, times, strict=False):
            producer.produce(
                self.name, value, key, partition, on_delivery=lambda e, _: faults.append(e), timestamp=time_ms
            )
        assert producer.flush(TIMEOUT_S) == 0
        assert faults == [None] * len(records)

    def _await_leaders(self, n_partitions: int) -> None:
        def are_there() -> bool:
            partitions = self._admin.list_topics(self.name, timeout=TIMEOUT_S).topics[self.name].partitions.values()
            return len(partitions) == n_partitions and all(one.leader >= 0 for one in partitions)

        wait_until(are_there, what=self.name, deadline_s=TIMEOUT_S)


def codecs_in(segment: Path) -> set[str]:
    """Return the codecs of the batches in a broker's log segment."""
    content, at, found = segment.read_bytes(), 0, set()
    while at + _HEADER.size <= len(content):
        _, length, _, _, _, attributes = _HEADER.unpack_from(content, at)
        if not length:
            break
        found.add(CODECS[attributes & 7])
        at += 12 + length
    return found
