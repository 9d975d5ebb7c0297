"""A fog's records: a stream of its topic, cut down to what the fog may see of it."""

from pyspark.sql import Column, DataFrame, SparkSession, functions

from fogline.federation import Federation
from fogline.kafka.clients import ClientConfig
from fogline.kafka.topics import REPLAY_HEADER
from spark_jobs.kafka_options import kafka_options

MAX_RECORDS_PER_BATCH = 50_000
# What the quarantine keeps of a record that is too large to be judged.
N_BYTES_KEPT = 1_024


def records_of(spark: SparkSession, config: ClientConfig, federation: Federation, fog: str) -> DataFrame:
    """Return the stream of a fog's records, as `selected` gives them."""
    stream = (
        spark.readStream.format("kafka")
        .options(**kafka_options(config))
        .option("subscribe", federation.fogs[fog].topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", MAX_RECORDS_PER_BATCH)
        .option("includeHeaders", "true")
        # Failing on expired records would fail for ever; `Losses` counts and reports them.
        .option("failOnDataLoss", "false")
        .load()
    )
    return selected(stream, federation, fog)


def selected(stream: DataFrame, federation: Federation, fog: str) -> DataFrame:
    """Return a topic's records, with what is in them only where they are the fog's.

    Returns
    -------
    DataFrame
        ``partition`` and ``offset`` of each; of the fog's ``key``, ``value`` (of one above the limit the start),
        ``n_bytes`` and ``replayed``, which are null of others.
    """
    value, n_bytes = functions.col("value"), functions.length("value")
    # Cut here, so that no batch is larger than its number of records allows.
    cut = functions.when(n_bytes > federation.readings.max_bytes, functions.substring(value, 1, N_BYTES_KEPT))
    replayed = functions.expr(f"coalesce(exists(headers, one -> one.key = '{REPLAY_HEADER}'), false)")
    own = {
        "key": functions.col("key"),
        "value": cut.otherwise(value),
        "n_bytes": functions.coalesce(n_bytes, functions.lit(0)),
        "replayed": replayed,
    }
    is_own = _is_own(federation, fog)
    # A record that is not there is only missed where all others are seen.
    shown = [functions.when(is_own, column).alias(name) for name, column in own.items()]
    return stream.select("partition", "offset", *shown)


def _is_own(federation: Federation, fog: str) -> Column:
    key = functions.col("key").cast("string")
    own = key.isin(list(federation.fogs[fog].sensors))
    if federation.warden(federation.fogs[fog].topic) != fog:
        return own
    everybodys = list(federation.sensors_on(federation.fogs[fog].topic))
    return key.isNull() | ~key.isin(everybodys) | own
