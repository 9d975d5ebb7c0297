"""How many readings a fog ingests per CPU second, beside a bare Spark job that only parses and writes them.

``./fogline run python benchmarks/ingest.py [--readings 500000] [--every 600] [--quix-python PATH]``, with the broker
up. Both sides read the same topic of one partition by ``spark-submit --master local[1]`` with the environment's Spark
settings, the fog with those of its application too. CPU seconds are those of Java and Python, from the moment the
session is there until the last reading is stored. Memory and files are sampled meanwhile: with many readings they tell
whether either grows. With the Python of an environment that has Quix Streams, that reads the topic too, in
`benchmarks/quix_side.py`.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pyspark.sql import DataFrame, SparkSession, functions

from fogline.federation import Federation, load_federation
from fogline.kafka.clients import BOOTSTRAP_VARIABLE, config_from_environment
from fogline.kafka.identity import TopicDesk
from fogline.kafka.publish import Publisher
from spark_jobs.fog.application import SESSION
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.ingest import BatchWriter, FogParts
from spark_jobs.fog.memory import settle
from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.source import MAX_RECORDS_PER_BATCH
from spark_jobs.fog.state import KEPT, FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.stream import TopicStream
from spark_jobs.fog.unused import UnusedRecords

SENSORS = ("R80711", "R80721", "R80736", "R80790")
FIELDS = ("wind_speed", "outdoor_temperature", "vane_angle", "wind_direction", "power")
DEMO = Path(__file__).parents[1] / "dags" / "federations" / "wind_farm.yaml"
SIDES = ("fog", "bare")
N_AT_ONCE = 200_000
MIB = 2**20
EVERY_S = 10.0


def main() -> None:
    """Fill a topic, run both sides on it, print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=500_000)
    parser.add_argument("--every", type=float, default=600, help="seconds between a sensor's readings (%(default)s)")
    parser.add_argument("--quix-python", help="Python of an environment with quixstreams, for that side")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--topic", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments.side, arguments.topic, arguments.readings)
        return
    servers = config_from_environment()["bootstrap.servers"]
    topic = f"benchmark-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    try:
        n_bytes = fill(servers, topic, arguments.readings, arguments.every)
        print(
            f"{arguments.readings:,} readings of {n_bytes / arguments.readings:.0f} bytes, four sensors, one partition"
        )
        rates = {side: measure(side, topic, arguments.readings) for side in SIDES}
        print(f"the fog does {rates['fog'] / rates['bare']:.2f} times what the bare job does per CPU second")
        if arguments.quix_python:
            script = str(Path(__file__).with_name("quix_side.py"))
            command = [arguments.quix_python, script, servers, topic, ",".join(SENSORS), str(arguments.readings)]
            quix = told("quix", command, arguments.readings)
            print(f"the fog does {rates['fog'] / quix:.2f} times what Quix Streams does per CPU second")
    finally:
        admin.delete_topics([topic])[topic].result(30)


def fill(servers: str, topic: str, n_readings: int, every_s: float) -> int:
    """Send made-up readings of a wind farm; return their bytes."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 50, "queue.buffering.max.messages": 500_000})
    rng = np.random.default_rng(1)
    start = dt.datetime(2014, 1, 1, tzinfo=dt.UTC)
    names = [json.dumps(name) for name in FIELDS]
    n_bytes = 0
    for first in range(0, n_readings, N_AT_ONCE):
        n = min(N_AT_ONCE, n_readings - first)
        values = rng.uniform([0, -10, -30, 0, 0], [25, 35, 30, 360, 2050], (n, 5)).round(2).tolist()
        for number, row in enumerate(values, first):
            step, which = divmod(number, len(SENSORS))
            at = (start + dt.timedelta(seconds=step * every_s)).isoformat()
            fields = ",".join(f"{name}:{value}" for name, value in zip(names, row, strict=True))
            value = f'{{"sensor_id":"{SENSORS[which]}","event_time":"{at}",{fields}}}'.encode()
            n_bytes += len(value)
            producer.produce(topic, key=SENSORS[which], value=value)
        producer.flush()
    return n_bytes


def measure(side: str, topic: str, n_readings: int) -> float:
    """Run one side by spark-submit and return its readings per CPU second."""
    submit = ["spark-submit", "--master", "local[1]", __file__]
    return told(side, [*submit, "--side", side, "--topic", topic, "--readings", str(n_readings)], n_readings)


def told(side: str, command: list[str], n_readings: int) -> float:
    """Run a side as a process of its own, print its figures and return its readings per CPU second."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["n_stored"] == n_readings, figures
    per_cpu_s, per_s = n_readings / figures["cpu_s"], n_readings / figures["wall_s"]
    java, python = figures["java_cpu_s"], figures["cpu_s"] - figures["java_cpu_s"]
    for line in figures["grown"]:
        print(f"{side:>5}: {line}")
    print(
        f"{side:>5}: {per_cpu_s:,.0f} readings per CPU s (Java {java:.1f} s, Python {python:.1f} s), {per_s:,.0f} per s"
    )
    return per_cpu_s


def run_side(side: str, topic: str, n_readings: int) -> None:
    """Ingest the whole topic and print the figures as JSON."""
    builder = SparkSession.builder.appName(f"benchmark {side}").config("spark.sql.shuffle.partitions", 1)
    for key, value in SESSION.items() if side == "fog" else ():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    servers = os.environ[BOOTSTRAP_VARIABLE]
    with tempfile.TemporaryDirectory() as folder:
        ingest = {"fog": fog_side, "bare": bare_side}[side](session, servers, topic, Path(folder))
        java, python = psutil.Process(os.getppid()), psutil.Process()
        before, started = (cpu_s(java), cpu_s(python)), time.perf_counter()
        growth = Growth(java, python, Path(folder))
        with growth.watched():
            n_stored = ingest()
        wall_s = time.perf_counter() - started
        java_cpu_s = cpu_s(java) - before[0]
        total = java_cpu_s + cpu_s(python) - before[1]
    figures = {"n_stored": n_stored, "wall_s": wall_s, "cpu_s": total, "java_cpu_s": java_cpu_s}
    print(json.dumps({**figures, "grown": growth.lines()}))


class Growth:
    """Samples memory and files ten seconds apart, to tell whether they grow with the readings."""

    def __init__(self, java: psutil.Process, python: psutil.Process, folder: Path) -> None:
        self._processes, self._folder = {"Java": java, "Python": python}, folder
        self._samples: list[str] = []

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Sample in a thread of its own."""
        ended = threading.Event()
        thread = threading.Thread(target=self._sample, args=(ended,))
        thread.start()
        yield
        ended.set()
        thread.join()

    def lines(self) -> list[str]:
        """Return the samples."""
        return self._samples

    def _sample(self, ended: threading.Event) -> None:
        began = time.perf_counter()
        while not ended.wait(EVERY_S):
            memory = ", ".join(f"{name} {one.memory_info().rss / MIB:.0f} MiB" for name, one in self._processes.items())
            files = [path for path in self._folder.rglob("*.parquet") if not path.name.startswith(".")]
            dates = {path.parent for path in files}
            self._samples.append(
                f"after {time.perf_counter() - began:.0f} s {memory}, {len(files)} files of {len(dates)} dates"
            )


def fog_side(session: SparkSession, servers: str, topic: str, folder: Path) -> Callable[[], int]:
    """Return the fog's own path, from the topic to the store."""
    federation = one_fog(topic)
    fog_folder = FogFolder(folder, federation.federation, "fog", topic)
    state = FogState(fog_folder.state)
    store = ReadingStore(fog_folder.readings, federation.fields, federation.lateness)
    unused = UnusedRecords(fog_folder.unused, federation.lateness)
    meter = FogMetrics().of("fog", state, store)
    parts = FogParts(federation, "fog", fog_folder, state, store, unused, meter)
    config = {"bootstrap.servers": servers}
    stream = TopicStream(topic, federation, [BatchWriter(parts, Publisher(config))], TopicDesk(config), print)
    query = stream.records(session, config).writeStream.foreachBatch(stream)

    def ingest() -> int:
        settle()
        query.option("checkpointLocation", stream.checkpoint_folder).trigger(
            availableNow=True
        ).start().awaitTermination()
        return state.totals()[KEPT]

    return ingest


def one_fog(topic: str) -> Federation:
    """Return the demo's federation with all sensors at one fog."""
    fog = {"sensors": SENSORS, "topic": topic}
    return Federation.model_validate({**load_federation(DEMO).model_dump(round_trip=True), "fogs": {"fog": fog}})


def bare_side(session: SparkSession, servers: str, topic: str, folder: Path) -> Callable[[], int]:
    """Return a job that parses each record with from_json and writes Parquet, and checks nothing."""
    schema = ", ".join(["sensor_id string", "event_time timestamp", *(f"{name} double" for name in FIELDS)])
    reading = functions.from_json(functions.col("value").cast("string"), schema)
    stream = session.readStream.format("kafka").option("kafka.bootstrap.servers", servers).option("subscribe", topic)
    stream = stream.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", MAX_RECORDS_PER_BATCH)
    parsed: DataFrame = stream.load().select(reading.alias("reading")).select("reading.*")
    query = parsed.writeStream.format("parquet").option("path", str(folder / "rows"))

    def ingest() -> int:
        query.option("checkpointLocation", str(folder / "checkpoint")).trigger(
            availableNow=True
        ).start().awaitTermination()
        return session.read.parquet(str(folder / "rows")).count()

    return ingest


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds a process has used."""
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    sys.exit(main())
