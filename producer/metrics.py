"""What the producer counts and serves."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge


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
        gauge("fogline_producer_speed_ratio", "Event seconds per second that are asked for; +Inf is at once").set(speed)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Ask the client for its queue's length at each scrape."""
        self._queued.set_function(length)

    def delivered(self, n_readings: int, n_bytes: int, newest: datetime) -> None:
        """Count a chunk that was acknowledged as a whole."""
        self._delivered.inc(n_readings)
        self._bytes.inc(n_bytes)
        self._newest.set(newest.timestamp())

    def refused(self) -> None:
        """Count a reading that was not taken."""
        self._refused.inc()

    def fault(self) -> None:
        """Count a fault of the client."""
        self._faults.inc()
