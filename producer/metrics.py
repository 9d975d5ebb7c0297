"""What the producer counts and serves."""

import math
from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from producer.spool import Spool


class ProducerMetrics:
    """The producer's metrics; it has one stream, so nothing has labels.

    Parameters
    ----------
    speed
        Event seconds per real second that were asked for.
    """

    def __init__(self, speed: float) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, meaning: str) -> Counter:
            return Counter(name, meaning, registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(name, meaning, registry=registry)

        self._delivered = counter("fogline_producer_readings_delivered_total", "Readings that Kafka acknowledged")
        self._bytes = counter("fogline_producer_delivered_bytes_total", "Bytes of their keys and values")
        self._refused = counter("fogline_producer_delivery_errors_total", "Readings that Kafka did not take")
        self._faults = counter("fogline_producer_client_errors_total", "Faults of Kafka's client, as a lost broker")
        self._queued = gauge("fogline_producer_queued_readings", "Readings handed to the client and not acknowledged")
        self._newest = gauge("fogline_producer_newest_reading_timestamp_seconds", "Newest event time delivered")
        # Zero would be a reading of 1970; a live source looks into none.
        self._newest.set(math.nan)
        self._received = counter("fogline_producer_readings_received_total", "Readings that a live source gave")
        self._connected_again = counter(
            "fogline_producer_source_reconnects_total", "Times that a lost source was found again, as an MQTT broker"
        )
        self._unread = gauge("fogline_producer_unreadable_files", "Files of a folder that can't be read as they are")
        self._spooled = gauge("fogline_producer_spool_readings", "Readings that wait in the spool for Kafka")
        self._spool_bytes = gauge("fogline_producer_spool_bytes", "Bytes of the spool that are in use")
        self._spool_used = gauge("fogline_producer_spool_used_ratio", "Their share of the limit; at 1 nothing is taken")
        self._set_aside = gauge("fogline_producer_refused_readings", "Readings set aside: Kafka will never take them")
        gauge("fogline_producer_speed_ratio", "Event seconds per second that are asked for; +Inf is at once").set(speed)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Ask the client for its queue's length at each scrape."""
        self._queued.set_function(length)

    def watch_spool(self, spool: Spool) -> None:
        """Look at the spool at each scrape."""
        self._spooled.set_function(lambda: spool.n_readings)
        self._spool_bytes.set_function(lambda: spool.n_bytes)
        self._spool_used.set_function(lambda: spool.n_bytes / spool.max_bytes)
        self._set_aside.set_function(lambda: spool.n_refused)

    def received(self, n_readings: int) -> None:
        """Count what a live source gave."""
        self._received.inc(n_readings)

    def reconnected(self) -> None:
        """Count a source that was lost and is back."""
        self._connected_again.inc()

    def unreadable(self, n_files: int) -> None:
        """Say how many files can't be read."""
        self._unread.set(n_files)

    def delivered(self, n_readings: int, n_bytes: int, newest: datetime | None = None) -> None:
        """Count readings that were acknowledged, and the newest event time where it is known."""
        self._delivered.inc(n_readings)
        self._bytes.inc(n_bytes)
        if newest is not None:
            self._newest.set(newest.timestamp())

    def refused(self) -> None:
        """Count a reading that was not taken."""
        self._refused.inc()

    def fault(self) -> None:
        """Count a fault of the client."""
        self._faults.inc()
