"""Some fogs' records: a stream of their topic, cut down to what these fogs may see of it."""

import json
from collections.abc import Collection, Mapping

from pyspark.sql import Column, DataFrame, SparkSession, functions

from fogline.federation import Federation
from fogline.kafka.clients import ClientConfig
from fogline.kafka.topics import REPLAY_HEADER
from spark_jobs.kafka_options import kafka_options

# One batch is in memory at a time for all fogs of a topic; each has a fixed price.
MAX_RECORDS_PER_BATCH = 100_000
# What the quarantine keeps of a record that is too large to be judged.
N_BYTES_KEPT = 1_024
# Spark's word for the first record that is there.
EARLIEST = -2


def records_of(
    spark: SparkSession,
    config: ClientConfig,
    federation: Federation,
    topic: str,
    fogs: Collection[str],
    begin: Mapping[int, int | None],
    *,
    only: Collection[int] | None = None,
    all_keys: bool = False,
) -> DataFrame:
    """Return the stream of some fogs' records on a topic, as `selected` gives them.

    Parameters
    ----------
    begin
        Where a new query begins by partition; None is the first record that is there.
    only
        The partitions to read; None reads all, also those that are added.
    all_keys
        Show each record's key.
    """
    starting = {topic: {str(p): EARLIEST if at is None else at for p, at in sorted(begin.items())}}
    chosen = ("subscribe", topic) if only is None else ("assign", json.dumps({topic: sorted(only)}))
    stream = (
        spark.readStream.format("kafka")
        .options(**kafka_options(config))
        .option(*chosen)
        .option("startingOffsets", json.dumps(starting))
        .option("maxOffsetsPerTrigger", MAX_RECORDS_PER_BATCH)
        .option("includeHeaders", "true")
        # Kafka's own is 500, each poll with its price.
        .option("kafka.max.poll.records", "10000")
        # Failing on expired records would fail for ever; `Losses` counts and reports them.
        .option("failOnDataLoss", "false")
        .load()
    )
    return selected(stream, federation, topic, fogs, all_keys=all_keys)


def selected(
    stream: DataFrame, federation: Federation, topic: str, fogs: Collection[str], *, all_keys: bool = False
) -> DataFrame:
    """Return a topic's records, with what is in them only where they are for some fogs.

    Returns
    -------
    DataFrame
        ``partition`` and ``offset`` of each; of the fogs' ``key``, ``value`` (of one above the limit the start),
        ``n_bytes`` and ``replayed``, which are null of others (the key not with ``all_keys``).
    """
    value, n_bytes = functions.col("value"), functions.length("value")
    # Cut here, so that no batch is larger than its number of records allows.
    cut = functions.when(n_bytes > federation.readings.max_bytes, functions.substring(value, 1, N_BYTES_KEPT))
    replayed = functions.array_contains(functions.col("headers.key"), REPLAY_HEADER)
    own = {
        "key": functions.col("key"),
        "value": cut.otherwise(value),
        "n_bytes": functions.coalesce(n_bytes, functions.lit(0)),
        "replayed": functions.coalesce(replayed, functions.lit(False)),
    }
    is_own = _is_own(federation, topic, fogs)
    # A record that is not there is only missed where all others are seen.
    shown = dict(own)
    if is_own is not None:
        shown = {name: one if all_keys and name == "key" else functions.when(is_own, one) for name, one in own.items()}
    return stream.select("partition", "offset", *(one.alias(name) for name, one in shown.items()))


def _is_own(federation: Federation, topic: str, fogs: Collection[str]) -> Column | None:
    """Return which records are for the fogs; None where all are."""
    key = functions.col("key").cast("string")
    own = [sensor for fog in fogs for sensor in federation.fogs[fog].sensors]
    if federation.warden(topic) not in fogs:
        return key.isin(own)
    others = sorted(set(federation.sensors_on(topic)) - set(own))
    return key.isNull() | ~key.isin(others) if others else None
