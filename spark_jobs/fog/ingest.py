"""Ingest: a Structured Streaming query that turns records into stored readings and quarantines the rest."""

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)
from pyspark.sql.streaming.query import StreamingQuery

from fogline.kafka.clients import ClientConfig
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import SENSOR_DATA_REJECTED
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.memory import give_back
from spark_jobs.fog.metrics import FogMeter
from spark_jobs.fog.readings import ReadingJudge, Rejection
from spark_jobs.fog.state import BatchCounts, FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.kafka_options import kafka_options

TRIGGER = "1 second"
MAX_RECORDS_PER_BATCH = 50_000
LARGE_BATCH = 5_000


def records_of(spark: SparkSession, config: ClientConfig, topic: str, sensors: Sequence[str]) -> DataFrame:
    """Return the stream of the sensors' records: ``key``, ``value``, ``partition``, ``offset``."""
    key = functions.col("key").cast("string")
    stream = (
        spark.readStream.format("kafka")
        .options(**kafka_options(config))
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", MAX_RECORDS_PER_BATCH)
        # Failing on expired records would fail for ever; `ProgressListener` counts and reports them.
        .option("failOnDataLoss", "false")
        .load()
    )
    return stream.where(key.isin(list(sensors))).select(key.alias("key"), "value", "partition", "offset")


class BatchWriter:
    """What happens to a micro-batch.

    1. Readings go to the store, under a name that a replay of the batch repeats.
    2. Rejected records go to the quarantine topic; if they can't, the batch fails and is replayed.
    3. Counts and progress are noted; only now may a plan rely on the readings.
    4. Dates that can get no more readings are merged.
    """

    def __init__(
        self,
        fog: str,
        topic: str,
        folder: FogFolder,
        judge: ReadingJudge,
        store: ReadingStore,
        state: FogState,
        edge: Publisher,
        meter: FogMeter,
    ) -> None:
        self._topic, self._checkpoint, self._edge = topic, folder.checkpoint_id, edge
        self._judge, self._store, self._state = judge, store, state
        self._meter, self._log = meter, logging.getLogger(fog)

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        """Handle one micro-batch of `records_of`."""
        n_records = self.write(batch.toArrow(), batch_id)
        if n_records > LARGE_BATCH:
            give_back()

    def write(self, records: pa.Table, batch_id: int) -> int:
        """Handle the records of one micro-batch; return how many there were."""
        if not records.num_rows:
            return 0
        judged = self._judge.judge(records, dt.datetime.now(dt.UTC))
        self._store.write(f"{self._checkpoint}-{batch_id}", judged.readings)
        self._quarantine(records, judged.rejections)
        counts = BatchCounts(self._checkpoint, batch_id, judged.readings.num_rows, len(judged.rejections))
        self._state.record_batch(counts, _newest(judged.readings))
        self._meter.batch(counts.n_kept, judged.rejections)
        self._report(counts, judged.rejections)
        newest = self._state.progress.newest
        if newest:
            self._store.close_dates(max(newest.values()))
        return records.num_rows

    def _quarantine(self, records: pa.Table, rejections: Sequence[Rejection]) -> None:
        rows = records.take([rejection.row for rejection in rejections]).to_pylist() if rejections else []
        self._edge.publish(
            [
                Record(
                    SENSOR_DATA_REJECTED,
                    row["key"],
                    row["value"],
                    headers=(
                        ("reason", rejection.reason),
                        ("field", rejection.field),
                        ("topic", self._topic),
                        ("partition", str(row["partition"])),
                        ("offset", str(row["offset"])),
                    ),
                )
                for row, rejection in zip(rows, rejections, strict=True)
            ]
        )

    def _report(self, counts: BatchCounts, rejections: Sequence[Rejection]) -> None:
        self._log.info("batch %d: %d readings kept", counts.batch, counts.n_kept)
        if rejections:
            reasons = Counter(f"{rejection.field or 'record'}: {rejection.reason}" for rejection in rejections)
            shown = "; ".join(f"{n} x {reason}" for reason, n in reasons.most_common(3))
            self._log.warning(
                "batch %d: %d records quarantined to %s: %s", counts.batch, len(rejections), SENSOR_DATA_REJECTED, shown
            )


class ProgressListener(StreamingQueryListener):
    """Notes how far each fog is behind, and reports offsets that it got no record for: retention was faster.

    Parameters
    ----------
    meters
        By fog, which is the query's name.
    """

    def __init__(self, meters: Mapping[str, FogMeter]) -> None:
        self._meters = meters

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        """Nothing to report."""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Compare the offsets of a batch with its records, and with the newest ones."""
        name, sources = event.progress.name or "ingest", event.progress.sources
        if name in self._meters:
            self._meters[name].lag(sum(n_offsets(source.endOffset, source.latestOffset) for source in sources))
        for source in sources:
            n_lost = n_offsets(source.startOffset, source.endOffset) - source.numInputRows
            if n_lost > 0:
                logging.getLogger(name).error(
                    "%d offsets of %s held no record: they expired before this fog read them "
                    "(or are transaction markers)",
                    n_lost,
                    source.description,
                )

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        """Nothing to report."""

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        """Nothing to report; the main thread waits for the end."""


def n_offsets(start: str | None, end: str | None) -> int:
    """Return how many offsets lie between two of Spark's offset texts, over all partitions.

    Partitions without a start are left out: where they begin is the broker's choice.
    """
    starts, ends = _offsets(start), _offsets(end)
    return sum(offset - starts[place] for place, offset in ends.items() if place in starts)


def _offsets(text: str | None) -> dict[tuple[str, str], int]:
    # Spark says "None" or "null" for a query's first batch.
    topics = json.loads(text) if text and text.startswith("{") else {}
    return {(topic, partition): offset for topic, ps in topics.items() for partition, offset in ps.items()}


def start_query(records: DataFrame, fog: str, folder: FogFolder, writer: BatchWriter) -> StreamingQuery:
    """Start a fog's ingest query."""
    return (
        records.writeStream.queryName(fog)
        .foreachBatch(writer)
        .option("checkpointLocation", str(folder.checkpoint))
        .trigger(processingTime=TRIGGER)
        .start()
    )


def _newest(readings: pa.Table) -> dict[str, dt.datetime]:
    newest = readings.group_by("sensor_id").aggregate([("event_time", "max")])
    return {row["sensor_id"]: row["event_time_max"].astimezone(dt.UTC) for row in newest.to_pylist()}
