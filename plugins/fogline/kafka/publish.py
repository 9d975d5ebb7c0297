"""Publish records and believe nothing but delivery reports."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message

from fogline.errors import FoglineError
from fogline.kafka.access import LOOK_EVERY_S
from fogline.kafka.clients import ClientConfig, KafkaAccessError, KafkaLayerError, make_producer


@dataclass(frozen=True)
class Record:
    """A record to publish; ``partition`` None leaves the choice to the key's hash."""

    topic: str
    key: str | bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Delivered:
    """Where a record lies; ``timestamp_ms`` is the broker's append time on LogAppendTime topics."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Publisher:
    """Sends batches of records and returns only when every delivery report is in.

    Parameters
    ----------
    config
        librdkafka client settings.
    idempotent
        True for a publisher that is kept; see `make_producer`.
    delivery_timeout_s
        After so long without an acknowledgement a record counts as lost.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        idempotent: bool = False,
        delivery_timeout_s: float = 60.0,
    ) -> None:
        self._timeout_s = delivery_timeout_s
        self._producer = make_producer(config, idempotent=idempotent, delivery_timeout_s=delivery_timeout_s)

    def publish(self, records: Sequence[Record]) -> list[Delivered]:
        """Send records and return where each one lies, in the order given.

        Raises
        ------
        KafkaLayerError
            A record was not delivered; names topic, key, size and the broker's or the network's reason.
        KafkaAccessError
            The broker does not let this client in, or not at the topic.
        """
        delivered: list[Delivered | None] = [None] * len(records)
        faults: list[FoglineError] = []
        # A refusal of long ago says nothing of now.
        self._producer.watch.refusal = None
        for number, record in enumerate(records):
            self._send(number, record, delivered, faults)
        self._await_reports()
        for record, where in zip(records, delivered, strict=True):
            if where is None and not faults:
                faults.append(KafkaLayerError(self._complaint(record, "no delivery report")))
        if faults:
            raise faults[0]
        return [where for where in delivered if where is not None]

    def _await_reports(self) -> None:
        until = time.monotonic() + self._timeout_s + 5
        while self._producer.flush(LOOK_EVERY_S) and time.monotonic() < until:
            if self._producer.watch.refusal:
                self._producer.purge()
                self._producer.watch.check()

    def _send(
        self,
        number: int,
        record: Record,
        delivered: list[Delivered | None],
        faults: list[FoglineError],
    ) -> None:
        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                faults.append(self._fault(record, error))
                return
            delivered[number] = Delivered(
                record.topic,
                message.partition() or 0,
                message.offset() or 0,
                message.timestamp()[1],
            )

        # librdkafka's own mark for "by the key's hash".
        partition = -1 if record.partition is None else record.partition
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    on_delivery=on_delivery,
                    partition=partition,
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def _fault(self, record: Record, error: KafkaError) -> FoglineError:
        fault = self._producer.watch.fault(record.topic, error)
        return fault if isinstance(fault, KafkaAccessError) else KafkaLayerError(self._complaint(record, error.str()))

    def _complaint(self, record: Record, reason: str) -> str:
        last = self._producer.watch.last
        n_bytes = len(record.value or b"")
        detail = f" ({last})" if last else ""
        return f"{record.topic}: record {_text(record.key)} of {n_bytes} bytes was not delivered: {reason}{detail}"


def _text(key: str | bytes | None) -> str:
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
