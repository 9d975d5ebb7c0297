"""Send what comes into being elsewhere, until a signal: source to spool in one thread, spool to Kafka in another.

Whichever of the two is slower, or away, the other goes on as long as the spool has room; then the source waits.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from fogline.kafka.clients import ClientConfig
from fogline.metrics.serving import serve_if_asked
from producer.forwarding import Forwarder
from producer.metrics import ProducerMetrics
from producer.spool import Message, Spool

log = logging.getLogger(__name__)

REPORT_EVERY_S = 30.0
LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class LiveStream:
    """What to send where, and the bound of what may wait for it."""

    topic: str
    state: Path
    spool_max_bytes: int
    is_replay: bool


class Intake:
    """Where a source puts its readings; what it has taken is on the disk."""

    def __init__(self, spool: Spool, is_replay: bool, metrics: ProducerMetrics) -> None:
        self.spool, self.metrics = spool, metrics
        self._is_replay = is_replay
        self._is_waiting = False
        self.n_received = 0

    def put(self, messages: Sequence[Message], positions: Mapping[str, str | None] | None = None) -> bool:
        """Take readings, and positions with them; return False, having taken nothing, when the spool is full."""
        taken = self.spool.append(messages, is_replay=self._is_replay, positions=positions)
        if taken:
            self.n_received += len(messages)
            self.metrics.received(len(messages))
        if taken == self._is_waiting:
            self._is_waiting = not taken
            self._say()
        return taken

    def _say(self) -> None:
        spool = self.spool
        if self._is_waiting:
            reason = "is full" if spool.is_full else "finds no room on its disk"
            log.warning(
                "%s %s (%d readings, %d of %d bytes): nothing more is taken until Kafka has taken some",
                *(spool.path, reason, spool.n_readings, spool.n_bytes, spool.max_bytes),
            )
        else:
            log.info("%s has room again; the source goes on", spool.path)

    def put_at_last(self, messages: Sequence[Message], positions: Mapping[str, str | None], stop: Event) -> bool:
        """Take readings as soon as there is room; return False if stopped before."""
        while not stop.is_set():
            if self.put(messages, positions):
                return True
            self.spool.wait_for_room(LOOK_EVERY_S) if self.spool.is_full else stop.wait(LOOK_EVERY_S)
        return False


class LiveSource(Protocol):
    """Something that gives readings without an end."""

    name: str

    def run(self, intake: Intake, stop: Event) -> None:
        """Put readings until stopped; what was not taken must be given again by the next run."""


def run_live(source: LiveSource, stream: LiveStream, config: ClientConfig, stop: Event) -> None:
    """Send a source's readings until stopped.

    Raises
    ------
    FoglineError
        The source can't be used as it was asked for, the spool can't be used, a setting of Kafka's client is none, or
        FOGLINE_METRICS_PORT is no port. That Kafka is away, or does not take something, never ends it.
    """
    metrics = ProducerMetrics(1.0)
    spool = Spool(stream.state / f"{stream.topic}-{source.name}.spool", stream.spool_max_bytes)
    try:
        metrics.watch_spool(spool)
        serve_if_asked(metrics.registry, log)
        forwarder = Forwarder(config, stream.topic, spool, stop, metrics)
        intake = Intake(spool, stream.is_replay, metrics)
        log.info(
            "sending to topic %s at %s by way of %s, where %d readings wait (and %d refused ones)",
            *(stream.topic, config["bootstrap.servers"], spool.path, spool.n_readings, spool.n_refused),
        )
        _run_both(source, intake, forwarder, stop)
    finally:
        spool.close()


def _run_both(source: LiveSource, intake: Intake, forwarder: Forwarder, stop: Event) -> None:
    faults: list[BaseException] = []

    def forward() -> None:
        try:
            forwarder.run()
        except BaseException as error:
            faults.append(error)
            stop.set()

    began = time.monotonic()

    def report(occasion: str) -> None:
        log.info(
            "%s: %d readings received, %d delivered in %.1f s; %d wait in the spool",
            *(occasion, intake.n_received, forwarder.n_delivered, time.monotonic() - began, intake.spool.n_readings),
        )

    def report_now_and_then() -> None:
        while not stop.wait(REPORT_EVERY_S):
            report("so far")

    threads = [threading.Thread(target=forward), threading.Thread(target=report_now_and_then)]
    for thread in threads:
        thread.start()
    try:
        source.run(intake, stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    report("stopped")
    if faults:
        raise faults[0]
