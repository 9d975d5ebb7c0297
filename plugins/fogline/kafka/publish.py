"""Publish records and believe nothing but delivery reports."""

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer

from fogline.kafka.clients import ClientConfig, KafkaLayerError, make_producer


@dataclass(frozen=True)
class Record:
    """A record to publish; ``partition`` None leaves the choice to the key's hash."""

    topic: str
    key: str
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
        self._last_error = ""
        self._timeout_s = delivery_timeout_s
        self._producer: Producer = make_producer(
            {**config, "error_cb": self._on_error},  # type: ignore[dict-item]
            idempotent=idempotent,
            delivery_timeout_s=delivery_timeout_s,
        )

    def publish(self, records: Sequence[Record]) -> list[Delivered]:
        """Send records and return where each one lies, in the order given.

        Raises
        ------
        KafkaLayerError
            A record was not delivered; names topic, key, size and the broker's or the network's reason.
        """
        delivered: list[Delivered | None] = [None] * len(records)
        faults: list[str] = []
        for number, record in enumerate(records):
            self._send(number, record, delivered, faults)
        self._producer.flush(self._timeout_s + 5)
        for record, where in zip(records, delivered, strict=True):
            if where is None and not faults:
                faults.append(self._fault(record, "no delivery report"))
        if faults:
            raise KafkaLayerError(faults[0])
        return [where for where in delivered if where is not None]

    def _send(
        self,
        number: int,
        record: Record,
        delivered: list[Delivered | None],
        faults: list[str],
    ) -> None:
        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                faults.append(self._fault(record, error.str()))
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

    def _fault(self, record: Record, reason: str) -> str:
        detail = f" ({self._last_error})" if self._last_error else ""
        n_bytes = len(record.value or b"")
        return f"{record.topic}: record {record.key} of {n_bytes} bytes was not delivered: {reason}{detail}"

    def _on_error(self, error: KafkaError) -> None:
        self._last_error = error.str()
