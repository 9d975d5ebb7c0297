"""What the fogs of an application count and serve; every label is a fog's name or a word of a short list."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fogline.messages.answer import Answer
from spark_jobs.fog.errors import Decline
from spark_jobs.fog.rules import RejectionKind
from spark_jobs.fog.state import KEPT, LOST, FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.unused import DUPLICATE, LATE

ANSWERS = ("update", "scores", "statistics")
WEIGHTS, MANIFEST = "weights", "manifest"
TRAINING_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
# The gauges that are read from a fog's state and store when somebody asks.
GAUGES = {
    "fogline_fog_newest_reading_timestamp_seconds": "Newest event time that the fog holds",
    "fogline_fog_slowest_sensor_timestamp_seconds": "Newest event time of the sensor that is furthest behind",
    "fogline_fog_silent_sensors": "Sensors that plans don't wait for until they report again",
    "fogline_fog_store_files": "Parquet files in the fog's store",
    "fogline_fog_store_bytes": "Their size",
}


class FogMetrics:
    """The metrics of all fogs of an application."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(name, meaning, labels, registry=registry)

        self.kept = counter("fogline_fog_readings_kept_total", "Readings stored", "fog")
        self.unused = counter("fogline_fog_readings_unused_total", "Readings that came twice or late", "fog", "verdict")
        self.lost = counter("fogline_fog_records_lost_total", "Records that expired before the fog read them", "fog")
        self.quarantined = counter("fogline_fog_records_quarantined_total", "Records quarantined", "fog", "reason")
        self.batches = counter("fogline_fog_batches_total", "Micro-batches with records", "fog")
        self.lag = Gauge(
            "fogline_fog_ingest_lag_records",
            "Records of the fog's topic behind the newest, all sensors', after the last micro-batch",
            ["fog"],
            registry=registry,
        )
        self.answered = counter("fogline_fog_plans_answered_total", "Plans answered, declines aside", "fog", "kind")
        self.declined = counter("fogline_fog_plans_declined_total", "Plans declined", "fog", "reason")
        self.sent_bytes = counter("fogline_fog_sent_bytes_total", "Bytes of answers sent", "fog", "content")
        self.model_bytes = counter(
            "fogline_fog_model_received_bytes_total", "Bytes of models fetched from the cloud, once for all fogs here"
        )
        self.training = Histogram(
            "fogline_fog_training_seconds",
            "Features, test and training of an update",
            ["fog"],
            registry=registry,
            buckets=TRAINING_BUCKETS_S,
        )
        self._kept = _KeptCollector()
        registry.register(self._kept)

    def of(self, fog: str, state: FogState, store: ReadingStore) -> "FogMeter":
        """Return the meter of a fog; what has not happened yet is shown as zero."""
        self._kept.fogs.append((fog, state, store))
        return FogMeter(self, fog)


class FogMeter:
    """Counts for one fog."""

    def __init__(self, metrics: FogMetrics, fog: str) -> None:
        self._kept, self._batches = metrics.kept.labels(fog), metrics.batches.labels(fog)
        self._lag, self._training = metrics.lag.labels(fog), metrics.training.labels(fog)
        self._unused = {verdict: metrics.unused.labels(fog, verdict) for verdict in (DUPLICATE, LATE)}
        self._lost = metrics.lost.labels(fog)
        self._quarantined = {kind: metrics.quarantined.labels(fog, kind.value) for kind in RejectionKind}
        self._answered = {kind: metrics.answered.labels(fog, kind) for kind in ANSWERS}
        self._declined = {cause: metrics.declined.labels(fog, cause.value) for cause in Decline}
        self._sent = {content: metrics.sent_bytes.labels(fog, content) for content in (WEIGHTS, MANIFEST)}

    def batch(self, tally: Mapping[str, int]) -> None:
        """Count what a micro-batch's records became; one that is replayed after a failure counts again."""
        self._batches.inc()
        self._kept.inc(tally.get(KEPT, 0))
        self._lost.inc(tally.get(LOST, 0))
        for counters in (self._unused, self._quarantined):
            for name, counter in counters.items():
                counter.inc(tally.get(name, 0))

    def lag(self, n_records: int) -> None:
        """Note how many records the fog is behind."""
        self._lag.set(n_records)

    def answer(self, answer: Answer, cause: Decline | None) -> None:
        """Count an answer that was published; ``cause`` is that of a decline."""
        if cause is None:
            self._answered[answer.kind].inc()
        else:
            self._declined[cause].inc()
        if answer.kind == "update":
            self._training.observe(answer.compute_s)
        if answer.weights is not None:
            self._sent[WEIGHTS].inc(sum(block.n_bytes for block in answer.weights.blocks))
        self._sent[MANIFEST].inc(len(answer.to_bytes()))


class _KeptCollector(Collector):
    """Reads states and stores at a scrape: about a millisecond a fog and hundred days."""

    def __init__(self) -> None:
        self.fogs: list[tuple[str, FogState, ReadingStore]] = []

    def describe(self) -> Iterator[Metric]:
        for name, meaning in GAUGES.items():
            yield GaugeMetricFamily(name, meaning, labels=["fog"])

    def collect(self) -> Iterator[Metric]:
        families = {metric.name: metric for metric in self.describe()}
        for fog, state, store in self.fogs:
            for name, value in _kept(state, store).items():
                families[name].add_sample(name, {"fog": fog}, value)
        yield from families.values()


def _kept(state: FogState, store: ReadingStore) -> dict[str, float]:
    progress, (n_files, n_bytes) = state.progress, store.size()
    numbers: dict[str, float] = {"silent_sensors": len(progress.silent), "store_files": n_files, "store_bytes": n_bytes}
    if progress.newest:
        times = [time.timestamp() for time in progress.newest.values()]
        numbers |= {
            "newest_reading_timestamp_seconds": max(times),
            "slowest_sensor_timestamp_seconds": min(times),
        }
    return {f"fogline_fog_{name}": value for name, value in numbers.items()}
