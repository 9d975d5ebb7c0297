"""Publish readings chunk by chunk, and move the position only over chunks that Kafka has acknowledged."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event

import tenacity
from confluent_kafka import KafkaError, KafkaException, Message

from fogline.kafka.clients import ClientConfig, make_producer
from fogline.kafka.topics import REPLAY_HEADER
from producer.errors import ProducerError
from producer.metrics import ProducerMetrics
from producer.position import Position

log = logging.getLogger(__name__)

# A kill -9 repeats at most what is in flight; more of it is not faster.
N_CHUNKS_IN_FLIGHT = 8
N_READINGS_PER_CHUNK = 500
GRACE_S = 5.0


def replay_headers(is_replay: bool) -> list[tuple[str, str | bytes | None]]:
    """Return the headers of a record that is history, or is not."""
    return [(REPLAY_HEADER, b"1")] if is_replay else []


class _Chunk:
    """Readings sent together, and how many of them Kafka has yet to acknowledge."""

    def __init__(self, position: Position, messages: Sequence[tuple[bytes, bytes]]) -> None:
        self.position = position
        self.n_waiting = self.n_readings = len(messages)
        self.n_bytes = sum(len(key) + len(value) for key, value in messages)


class Delivery:
    """Sends readings to one topic in order.

    1. A chunk is handed to the client, which numbers it: the idempotent producer neither loses, repeats nor reorders.
    2. Each reading's delivery report counts its chunk down.
    3. Chunks leave from the oldest on, as long as the oldest is fully acknowledged; then its position is stored. So a
       stored position has nothing undelivered before it, whichever partition answered first.

    Parameters
    ----------
    deadline_s
        How long Kafka may take to answer at the start, and to acknowledge a reading.
    on_delivered
        Gets the position after each chunk, in order.
    is_replay
        Whether the records say that they are history, which is not late.
    stop
        Ends every wait; `finish` still collects what arrives within `GRACE_S`.
    """

    def __init__(
        self,
        config: ClientConfig,
        topic: str,
        *,
        deadline_s: float,
        on_delivered: Callable[[Position], None],
        stop: Event,
        metrics: ProducerMetrics,
        is_replay: bool = False,
    ) -> None:
        self._servers = config["bootstrap.servers"]
        self._topic = topic
        self._deadline_s = deadline_s
        self._on_delivered = on_delivered
        self._stop = stop
        self._metrics = metrics
        self._headers = replay_headers(is_replay)
        self._chunks: deque[_Chunk] = deque()
        self._refusal: KafkaError | None = None
        self._last_error = ""
        self._producer = make_producer(config, idempotent=True, delivery_timeout_s=deadline_s, on_error=self._on_error)
        metrics.watch_queue(lambda: len(self._producer))

    def connect(self) -> str:
        """Wait until Kafka answers and return the identity of its cluster; empty when stopped meanwhile.

        Raises
        ------
        ProducerError
            Kafka does not answer before the deadline, or there is no such topic.
        KafkaAccessError
            Kafka does not let the producer in.
        """
        ask = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(KafkaException),
            stop=tenacity.stop_after_delay(self._deadline_s) | tenacity.stop_when_event_set(self._stop),
            sleep=tenacity.sleep_using_event(self._stop),
            wait=tenacity.wait_fixed(0.2),
            reraise=True,
        )
        try:
            described = ask(self._producer.list_topics, timeout=min(1.0, self._deadline_s))
        except KafkaException as error:
            if self._stop.is_set():
                return ""
            reason = self._last_error or error.args[0].str()
            raise ProducerError(
                f"Kafka at {self._servers} does not answer within {self._deadline_s:g} s ({reason}); "
                "is the broker up, and is the address right?"
            ) from error
        if self._topic not in described.topics:
            raise ProducerError(
                f"topic {self._topic}: Kafka at {self._servers} has no such topic, or this user may not see it; "
                "python -m fogline.kafka.topics creates it"
            )
        return described.cluster_id or ""

    def send(self, messages: Sequence[tuple[bytes, bytes]], position: Position) -> None:
        """Send the readings that lead to a position, waiting while too many are in flight.

        Raises
        ------
        ProducerError
            Kafka has refused a reading, or not acknowledged one before the deadline.
        """
        chunk = _Chunk(position, messages)
        self._chunks.append(chunk)

        def on_report(error: KafkaError | None, _: Message) -> None:
            if error is None:
                chunk.n_waiting -= 1
            else:
                self._metrics.refused()
                self._refusal = self._refusal or error

        try:
            for key, value in messages:
                self._producer.produce(self._topic, value, key, on_delivery=on_report, headers=self._headers)
        except KafkaException as error:
            raise self._undelivered(error.args[0]) from error
        self._producer.poll(0)
        self.settle(N_CHUNKS_IN_FLIGHT)

    def settle(self, n_chunks: int = 0) -> None:
        """Wait until at most so many chunks are in flight.

        Raises
        ------
        ProducerError
            As for `send`.
        """
        self._advance()
        while len(self._chunks) > n_chunks and not self._stop.is_set():
            self._producer.poll(0.1)
            self._advance()

    def finish(self) -> int:
        """Wait for the last reports, after a stop for `GRACE_S` only; return how many readings are still unreported.

        Raises
        ------
        ProducerError
            As for `send`.
        """
        self.settle()
        until = time.monotonic() + GRACE_S
        while self._chunks and time.monotonic() < until:
            self._producer.poll(0.1)
            self._advance()
        n_unreported = sum(chunk.n_waiting for chunk in self._chunks)
        self._producer.purge()
        return n_unreported

    def _advance(self) -> None:
        while self._chunks and self._chunks[0].n_waiting == 0:
            chunk = self._chunks.popleft()
            self._metrics.delivered(chunk.n_readings, chunk.n_bytes, chunk.position.event_time)
            self._on_delivered(chunk.position)
        if self._refusal is not None:
            raise self._undelivered(self._refusal)

    def _undelivered(self, error: KafkaError) -> ProducerError:
        reason = f"{error.str()} ({self._last_error})" if self._last_error else error.str()
        return ProducerError(
            f"topic {self._topic} on {self._servers}: a reading was not delivered: {reason}; "
            "put it right and start again, the producer goes on from what was delivered"
        )

    def _on_error(self, error: KafkaError) -> None:
        self._metrics.fault()
        if error.str() != self._last_error:
            self._last_error = error.str()
            log.warning("Kafka at %s: %s; trying on", self._servers, self._last_error)
