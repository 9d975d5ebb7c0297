"""Read by offset: exact records that a manifest names, or everything from a cursor on."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from fogline.kafka.clients import (
    METADATA_TIMEOUT_S,
    ClientConfig,
    KafkaLayerError,
    WatchedConsumer,
    make_consumer,
)

Cursor = dict[int, int]


@dataclass(frozen=True)
class Received:
    """A record as it lies on the topic; ``timestamp_ms`` is the append time on LogAppendTime topics."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    timestamp_ms: int


@contextmanager
def open_consumer(config: ClientConfig) -> Iterator[WatchedConsumer]:
    """Open a consumer, close it in the end, and turn librdkafka's exceptions into this layer's.

    Raises
    ------
    KafkaLayerError
        The broker does not answer or refuses; names it and the reason.
    KafkaAccessError
        The broker does not let this client in.
    """
    consumer = make_consumer(config)
    try:
        yield consumer
    except KafkaException as error:
        servers = config.get("bootstrap.servers", "?")
        fault = consumer.watch.fault(f"Kafka at {servers}", error.args[0])
        if isinstance(fault, KafkaLayerError):
            fault = KafkaLayerError(f"{fault}; is the broker up?")
        raise fault from error
    finally:
        consumer.close()


def received(consumer: WatchedConsumer, message: Message) -> Received:
    """Convert a consumer's message.

    Raises
    ------
    KafkaLayerError, KafkaAccessError
        The message is an error event.
    """
    error = message.error()
    if error is not None:
        raise consumer.watch.fault(f"{message.topic()}[{message.partition()}]", error)
    key = message.key()
    text = key.decode(errors="replace") if isinstance(key, bytes) else key or ""
    value = message.value()
    return Received(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=text,
        value=value.encode() if isinstance(value, str) else value,
        timestamp_ms=message.timestamp()[1],
    )


def partitions_of(consumer: WatchedConsumer, topic: str) -> list[int]:
    """Return a topic's partitions.

    Raises
    ------
    UnknownTopicError
        There is no such topic.
    KafkaLayerError
        The broker does not tell.
    KafkaAccessError
        This client may not see it.
    """
    described = consumer.list_topics(topic, timeout=METADATA_TIMEOUT_S).topics[topic]
    if described.error is not None:
        fault = consumer.watch.fault(f"topic {topic}", described.error)
        if isinstance(fault, KafkaLayerError):
            fault = type(fault)(f"{fault}; python -m fogline.kafka.topics creates it")
        raise fault
    return sorted(described.partitions)


def end_of(config: ClientConfig, topic: str) -> Cursor:
    """Return the offset behind the last record of each partition."""
    with open_consumer(config) as consumer:
        return {p: _watermarks(consumer, topic, p)[1] for p in partitions_of(consumer, topic)}


def read_exact(
    config: ClientConfig,
    topic: str,
    offsets: Mapping[int, Sequence[int]],
    timeout_s: float,
) -> dict[tuple[int, int], Received]:
    """Read records by partition and offset.

    Raises
    ------
    KafkaLayerError
        A record has expired, never was, or did not arrive within ``timeout_s``.
    """
    wanted = {(partition, offset) for partition, many in offsets.items() for offset in many}
    found: dict[tuple[int, int], Received] = {}
    with open_consumer(config) as consumer:
        consumer.assign([TopicPartition(topic, p, min(many)) for p, many in offsets.items() if many])
        deadline = time.monotonic() + timeout_s
        while len(found) < len(wanted):
            # Never more than is missing: librdkafka waits for the whole number until the time is over.
            for message in consumer.consume(min(500, len(wanted) - len(found)), 0.1):
                record = received(consumer, message)
                if (record.partition, record.offset) in wanted:
                    found[record.partition, record.offset] = record
            if time.monotonic() > deadline:
                missing = min(wanted - found.keys())
                raise KafkaLayerError(
                    f"{topic}[{missing[0]}]: no record at offset {missing[1]} within {timeout_s:g} s; "
                    "its retention may have passed"
                )
    return found


def read_to_end(config: ClientConfig, topic: str, timeout_s: float) -> Iterator[Message]:
    """Give what lies on a topic from its beginning to its present end, whole messages with key and headers in bytes.

    Raises
    ------
    KafkaLayerError
        There is no such topic, or for ``timeout_s`` nothing more arrived.
    """
    with open_consumer({**config, "enable.partition.eof": "true"}) as consumer:
        marks = {p: _watermarks(consumer, topic, p) for p in partitions_of(consumer, topic)}
        ends = {p: high for p, (low, high) in marks.items() if low < high}
        consumer.assign([TopicPartition(topic, p, marks[p][0]) for p in ends])
        deadline = time.monotonic() + timeout_s
        while ends:
            for message in consumer.consume(1000, 0.1):
                deadline = time.monotonic() + timeout_s
                partition, offset = message.partition() or 0, message.offset() or 0
                error = message.error()
                # The last records below the end may be gone, or be marks of transactions.
                is_over = error is not None and error.code() == KafkaError._PARTITION_EOF
                if error is not None and not is_over:
                    raise consumer.watch.fault(f"{topic}[{partition}]", error)
                if not is_over and offset < ends.get(partition, 0):
                    yield message
                if is_over or offset + 1 >= ends.get(partition, 0):
                    ends.pop(partition, None)
            if ends and time.monotonic() > deadline:
                raise KafkaLayerError(f"{topic}: for {timeout_s:g} s nothing more came; is the broker up?")


class TailReader:
    """Follows a topic from a cursor: every record once per reader, whatever other readers do."""

    def __init__(self, consumer: WatchedConsumer, topic: str, cursor: Mapping[int, int]) -> None:
        self.topic = topic
        self.n_expired = 0
        self._consumer = consumer
        starts = {p: self._start(p, cursor.get(p)) for p in partitions_of(consumer, topic)}
        consumer.assign([TopicPartition(topic, p, start) for p, start in starts.items()])
        self.cursor: Cursor = starts

    def poll(self, timeout_s: float) -> list[Received]:
        """Return what has arrived; waits at most ``timeout_s`` for the first record."""
        messages = self._consumer.consume(1, timeout_s)
        if messages:
            messages += self._consumer.consume(1000, 0)
        records = [received(self._consumer, message) for message in messages]
        for record in records:
            self.cursor[record.partition] = record.offset + 1
        return records

    def _start(self, partition: int, wanted: int | None) -> int:
        low, high = _watermarks(self._consumer, self.topic, partition)
        if wanted is None or wanted > high:
            # Above the end: the topic was made anew, so the cursor means nothing there.
            return low
        self.n_expired += max(0, low - wanted)
        return max(low, wanted)


def _awaits_leader(error: BaseException) -> bool:
    codes = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    return isinstance(error, KafkaException) and error.args[0].code() in codes


# A partition gets its leader a moment after it was made or its broker came back.
@retry(
    retry=retry_if_exception(_awaits_leader),
    stop=stop_after_delay(METADATA_TIMEOUT_S),
    wait=wait_fixed(0.1),
    reraise=True,
)
def _watermarks(consumer: WatchedConsumer, topic: str, partition: int) -> tuple[int, int]:
    marks = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=METADATA_TIMEOUT_S)
    if marks is None:
        raise KafkaLayerError(f"{topic}[{partition}]: its offsets can't be read within {METADATA_TIMEOUT_S:g} s")
    return marks
