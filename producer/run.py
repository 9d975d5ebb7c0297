"""Send a source's readings: from the stored position on, at the pace asked for, until the end or a signal."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import pyarrow as pa

from fogline.kafka.clients import ClientConfig
from fogline.metrics.serving import serve_if_asked
from producer.delivery import N_READINGS_PER_CHUNK, Delivery
from producer.metrics import ProducerMetrics
from producer.pacing import Pacer
from producer.position import Position, PositionFile, advanced
from producer.readings import Source, Span, encode, event_times_us

log = logging.getLogger(__name__)

REPORT_EVERY_S = 30.0


@dataclass(frozen=True)
class Stream:
    """What to send where: the topic, the span of event time, and the pace (infinite: as fast as possible)."""

    topic: str
    span: Span
    speed: float
    deadline_s: float
    state: Path
    is_replay: bool = False


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """Give an event that SIGTERM and SIGINT set."""
    stop = Event()
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Progress:
    """Keeps the newest delivered position: in its file at once, in the log now and then."""

    def __init__(self, file: PositionFile) -> None:
        self.file = file
        self.position = file.load()
        self.n_before = self.position.n_readings if self.position else 0
        self._began = self._reported = time.monotonic()

    def delivered(self, position: Position) -> None:
        self.position = position
        self.file.save(position)
        if time.monotonic() - self._reported >= REPORT_EVERY_S:
            self._reported = time.monotonic()
            self.report("so far")

    def report(self, occasion: str) -> None:
        n_sent = (self.position.n_readings if self.position else 0) - self.n_before
        seconds = time.monotonic() - self._began
        until = f" up to {self.position.event_time.isoformat()}" if self.position else ""
        log.info("%s: %d readings in %.1f s (%.0f/s)%s", occasion, n_sent, seconds, n_sent / seconds, until)


def run(source: Source, stream: Stream, config: ClientConfig, stop: Event) -> None:
    """Send a source until its end or until stopped.

    Raises
    ------
    FoglineError
        The source can't be read, Kafka does not take the readings, or FOGLINE_METRICS_PORT is no port.
    """
    metrics = ProducerMetrics(stream.speed)
    serve_if_asked(metrics.registry, log)
    progress: list[_Progress] = []
    delivery = Delivery(
        config,
        stream.topic,
        deadline_s=stream.deadline_s,
        on_delivered=lambda position: progress[0].delivered(position),
        stop=stop,
        metrics=metrics,
        is_replay=stream.is_replay,
    )
    cluster = delivery.connect()
    if stop.is_set():
        return
    identity = {"topic": stream.topic, "source": source.name, "cluster": cluster, **source.arguments}
    identity |= {"from": stream.span.start, "to": stream.span.end}
    progress.append(_Progress(PositionFile(stream.state, identity)))
    _announce(stream, config, progress[0])
    pacer = Pacer(stream.speed, as_clock=source.as_clock, stop=stop)
    _send(source, stream.span, delivery, pacer, progress[0].position, stop)
    n_unreported = delivery.finish()
    progress[0].report("stopped" if stop.is_set() else "finished")
    if n_unreported:
        log.warning("%d readings were sent and not acknowledged; the next start sends them again", n_unreported)


def _announce(stream: Stream, config: ClientConfig, progress: _Progress) -> None:
    where = f"topic {stream.topic} at {config['bootstrap.servers']}"
    if progress.position is None:
        log.info("sending to %s; the position is kept in %s", where, progress.file.path)
    else:
        log.info(
            "sending to %s after %s, %d readings were delivered before (remove %s to send all again)",
            where,
            progress.position.event_time.isoformat(),
            progress.n_before,
            progress.file.path,
        )


def _send(source: Source, span: Span, delivery: Delivery, pacer: Pacer, position: Position | None, stop: Event) -> None:
    rest = span if position is None else replace(span, start=position.event_time)
    for batch in undelivered(source.batches(rest), position):
        messages, times_us = encode(batch), event_times_us(batch)
        n_sent = 0
        while n_sent < len(messages):
            if stop.is_set():
                return
            n_due = min(pacer.n_due(times_us[n_sent:]), N_READINGS_PER_CHUNK)
            if n_due == 0:
                delivery.settle()
                pacer.wait_for(int(times_us[n_sent]))
                continue
            position = advanced(position, times_us[n_sent : n_sent + n_due])
            delivery.send(messages[n_sent : n_sent + n_due], position)
            n_sent += n_due


def undelivered(batches: Iterator[pa.RecordBatch], position: Position | None) -> Iterator[pa.RecordBatch]:
    """Leave out the readings before a position; the batches start at its event time."""
    n_left = position.n_at_event_time if position else 0
    for batch in batches:
        n_skipped = 0
        if position is not None and n_left:
            n_skipped = min(n_left, int((event_times_us(batch) == position.event_time_us).sum()))
            n_left = n_left - n_skipped if n_skipped == batch.num_rows else 0
        if n_skipped < batch.num_rows:
            yield batch.slice(n_skipped)
