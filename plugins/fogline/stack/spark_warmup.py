"""A tiny Spark application that loads the classes which Fogline's own load, for the AppCDS archive.

Run by ``spark-submit spark_warmup.py BOOTSTRAP_SERVERS FOLDER``.
"""

import sys
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pyspark.sql import DataFrame, SparkSession, functions

TOPIC = "warm-up"
SCHEMA = "sensor_id string, event_time timestamp, value double"


def main(bootstrap_servers: str, folder: Path) -> None:
    """Read a few records from Kafka as a batch and as a stream, parse them and write them."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    for created in admin.create_topics([NewTopic(TOPIC, num_partitions=2)]).values():
        created.result(timeout=30)
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    for number in range(10):
        producer.produce(TOPIC, key=f"s{number}", value=f'{{"sensor_id": "s{number}", "value": {number}}}')
    producer.flush(30)

    spark = SparkSession.builder.appName("warm-up").getOrCreate()
    options = {"kafka.bootstrap.servers": bootstrap_servers, "subscribe": TOPIC, "startingOffsets": "earliest"}
    batch = spark.read.format("kafka").options(**options, includeHeaders="true").load()
    _parsed(batch).groupBy("partition").agg(functions.max("value"), functions.count("*")).orderBy("partition").collect()
    batch.where("partition = 0").select("partition", "offset", "value").toArrow()

    def write(rows: DataFrame, _: int) -> None:
        rows.toArrow()
        rows.write.mode("append").parquet(str(folder / "rows"))

    stream = spark.readStream.format("kafka").options(**options, includeHeaders="true").load()
    query = _parsed(stream).writeStream.foreachBatch(write).option("checkpointLocation", str(folder / "checkpoint"))
    query.trigger(availableNow=True).start().awaitTermination(120)
    spark.read.parquet(str(folder / "rows")).toArrow()
    spark.stop()


def _parsed(records: DataFrame) -> DataFrame:
    reading = functions.from_json(functions.col("value").cast("string"), SCHEMA)
    return (
        records.where(functions.col("key").isNotNull())
        .select("partition", "offset", reading.alias("r"))
        .select("partition", "offset", "r.*")
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
