"""From the spool to Kafka: in order, for ever, and past what Kafka will never take."""

import logging
import time
from collections.abc import Sequence
from threading import Event

from confluent_kafka import KafkaError, KafkaException, Message

from fogline.errors import FoglineError
from fogline.kafka.clients import ClientConfig, WatchedProducer, make_producer
from producer.delivery import GRACE_S, replay_headers
from producer.metrics import ProducerMetrics
from producer.spool import Spool, Waiting

log = logging.getLogger(__name__)

N_READINGS_AT_ONCE = 2_000
N_BYTES_AT_ONCE = 16 * 2**20
# Before Kafka is asked again for what it did not take, and between two lines about the same trouble.
RETRY_S, SAY_AGAIN_S = 5.0, 60.0
LOOK_EVERY_S = 0.2

Outcomes = dict[int, KafkaError | None]

# What these say of a record that was sent alone stays so, however often it is sent.
_NEVER = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD)


class Forwarder:
    """Sends the spool's records to one topic until it is stopped; `run` is a thread of its own.

    1. A batch is handed to the idempotent client, whose messages never time out: while Kafka is away they wait there,
       in order, and the source goes on filling the spool.
    2. When each record of the batch has its report, those delivered leave the spool in one transaction.
    3. A record that Kafka will never take is set aside in the spool. What it may take later (no topic, no right) stays,
       is said, and is tried again.

    One batch is on its way at a time, so a kill repeats at most one, and what waits keeps its order.
    """

    def __init__(self, config: ClientConfig, topic: str, spool: Spool, stop: Event, metrics: ProducerMetrics) -> None:
        self._config, self._topic, self._spool = config, topic, spool
        self._stop, self._metrics = stop, metrics
        self._servers = config["bootstrap.servers"]
        self._trouble, self._said_at = "", 0.0
        self.n_delivered = 0
        self._producer = self._new_producer()
        metrics.watch_queue(lambda: len(self._producer))

    def run(self) -> None:
        """Send until stopped; what is on its way then has `GRACE_S` to be reported."""
        while not self._stop.is_set():
            if self._is_topic_there():
                self._drain()
            self._stop.wait(RETRY_S)
        self._producer.purge()

    def _new_producer(self) -> WatchedProducer:
        # Zero is without an end.
        return make_producer(self._config, idempotent=True, delivery_timeout_s=0, on_error=self._on_error)

    def _is_topic_there(self) -> bool:
        while not self._stop.is_set():
            try:
                topics = self._producer.list_topics(timeout=1.0).topics
            except FoglineError as error:
                self._say(logging.ERROR, str(error))
                return False
            except KafkaException as error:
                self._say(logging.WARNING, f"Kafka at {self._servers} does not answer ({error.args[0].str()})")
                self._stop.wait(LOOK_EVERY_S)
                continue
            if self._topic in topics:
                return True
            self._say(
                logging.ERROR,
                f"topic {self._topic}: Kafka at {self._servers} has no such topic, or this user may not see it; "
                "python -m fogline.kafka.topics creates it",
            )
            return False
        return False

    def _drain(self) -> None:
        """Send batch by batch until stopped, or until Kafka does not take what it may take later."""
        while not self._stop.is_set():
            batch = self._spool.first(N_READINGS_AT_ONCE, N_BYTES_AT_ONCE)
            if not batch:
                self._producer.poll(0)
                self._spool.wait_for_readings(LOOK_EVERY_S)
                continue
            outcomes = self._sent_apart(batch)
            self._settle(batch, outcomes)
            later = next((error for error in outcomes.values() if error and error.code() not in _NEVER), None)
            if later is not None and not self._stop.is_set():
                self._say(
                    logging.ERROR, f"topic {self._topic} on {self._servers}: a reading was not taken: {later.str()}"
                )
                if later.fatal() or later.code() == KafkaError._FATAL:
                    self._producer = self._new_producer()
                return
            if self._trouble and not self._stop.is_set():
                log.info("Kafka at %s takes readings again", self._servers)
                self._trouble = ""

    def _sent_apart(self, batch: Sequence[Waiting]) -> Outcomes:
        """Send records; those refused together are sent in halves until it is clear which are refused by themselves."""
        outcomes = self._sent(batch)
        doubtful = [one for one in batch if _code(outcomes, one) in _NEVER]
        if len(batch) == 1 or not doubtful:
            return outcomes
        outcomes = {number: error for number, error in outcomes.items() if error is None or error.code() not in _NEVER}
        half = (len(doubtful) + 1) // 2
        for part in (doubtful[:half], doubtful[half:]):
            if part and not self._stop.is_set():
                outcomes |= self._sent_apart(part)
        return outcomes

    def _sent(self, batch: Sequence[Waiting]) -> Outcomes:
        """Send records and return what was reported of each; after a stop, some may have no report."""
        outcomes: Outcomes = {}
        for one in batch:
            self._produce(one, outcomes)
        until = None
        while len(outcomes) < len(batch):
            self._producer.poll(LOOK_EVERY_S)
            if self._stop.is_set():
                until = until or time.monotonic() + GRACE_S
                if time.monotonic() >= until:
                    break
        return outcomes

    def _produce(self, one: Waiting, outcomes: Outcomes) -> None:
        def on_report(error: KafkaError | None, _: Message) -> None:
            outcomes[one.number] = error

        headers = replay_headers(one.is_replay)
        try:
            self._producer.produce(self._topic, one.value, one.key, on_delivery=on_report, headers=headers)
        except KafkaException as error:
            outcomes[one.number] = error.args[0]

    def _settle(self, batch: Sequence[Waiting], outcomes: Outcomes) -> None:
        delivered = [one for one in batch if one.number in outcomes and outcomes[one.number] is None]
        refused = {one.number: outcomes[one.number] for one in batch if _code(outcomes, one) in _NEVER}
        reasons = {number: error.str() for number, error in refused.items() if error}
        while not self._spool.settle([one.number for one in delivered], reasons):
            self._say(logging.ERROR, f"{self._spool.path}: the disk is full; nothing goes on until it has room")
            if self._stop.wait(RETRY_S):
                return
        self.n_delivered += len(delivered)
        self._metrics.delivered(len(delivered), sum(len(one.key or b"") + len(one.value) for one in delivered))
        for one in batch:
            if one.number in reasons:
                self._metrics.refused()
                log.error(
                    "topic %s on %s does not take a reading of %s with %d bytes: %s; it is set aside as number %d "
                    "of table refused in %s",
                    *(self._topic, self._servers, (one.key or b"unknown").decode(errors="replace")),
                    *(len(one.value), reasons[one.number], one.number, self._spool.path),
                )

    def _on_error(self, error: KafkaError) -> None:
        self._metrics.fault()
        self._say(logging.WARNING, f"Kafka at {self._servers}: {error.str()}")

    def _say(self, level: int, trouble: str) -> None:
        """Log a trouble, unless it was a moment ago; a broker that is away says so in ever other words."""
        what = trouble if level >= logging.ERROR else "away"
        if what != self._trouble or time.monotonic() - self._said_at >= SAY_AGAIN_S:
            self._trouble, self._said_at = what, time.monotonic()
            log.log(level, "%s; %d readings wait in %s", trouble, self._spool.n_readings, self._spool.path)


def _code(outcomes: Outcomes, one: Waiting) -> int | None:
    error = outcomes.get(one.number)
    return error.code() if error else None
