"""Measure what many fogs in one application cost: beside one fog with all sensors, and with nothing to do.

``./fogline run python benchmarks/fogs.py [--fogs 20] [--readings 280000] [--every 600] [--idle-fogs 28]``, with the
broker up. Both sides are the fog node as it runs, by ``spark-submit --master local[1]`` with the environment's Spark
settings, and read the same topic. Wall and CPU seconds (Java and Python) are those from the log's first ``started``
until the last record is counted. The idle fogs have read all there is; a minute later their memory is that of all
their processes.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.kafka.clients import config_from_environment
from fogline.kafka.topics import ensure_topics
from fogline.stack.waiting import wait_until
from spark_jobs.fog.state import RECEIVED

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "dags" / "federations" / "wind_farm.yaml"
FIELDS = ("wind_speed", "outdoor_temperature", "vane_angle", "wind_direction", "power")
DEADLINE_S = 900
IDLE_S, SETTLE_S = 30, 60
N_PARTITIONS = 4
MIB = 2**20


def main() -> None:
    """Fill a topic, run both sides on it, then the idle fogs; print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fogs", type=int, default=20)
    parser.add_argument("--readings", type=int, default=280_000)
    parser.add_argument("--every", type=float, default=600, help="seconds between a sensor's readings (%(default)s)")
    parser.add_argument("--idle-fogs", type=int, default=28)
    arguments = parser.parse_args()
    servers = config_from_environment()["bootstrap.servers"]
    ensure_topics(servers)
    topic = f"benchmark-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, N_PARTITIONS, 1)])[topic].result(30)
    sensors = [f"T{number}" for number in range(arguments.fogs)]
    try:
        fill(servers, topic, sensors, arguments.readings, arguments.every)
        print(f"{arguments.readings:,} readings of {len(sensors)} sensors, a topic of {N_PARTITIONS} partitions")
        one = catch_up({"fog": sensors}, topic, arguments.readings)
        many = catch_up({f"fog-{sensor}": [sensor] for sensor in sensors}, topic, arguments.readings)
        print(
            f"{len(sensors)} fogs take {many[0] / one[0]:.2f} times the time and {many[1] / one[1]:.2f} times the CPU"
        )
        idle({f"fog-{number}": [f"T{number}"] for number in range(arguments.idle_fogs)}, topic)
    finally:
        admin.delete_topics([topic])[topic].result(30)


def fill(servers: str, topic: str, sensors: Sequence[str], n_readings: int, every_s: float) -> None:
    """Send made-up readings, keyed by sensor, each sensor's in the order of time."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 50, "queue.buffering.max.messages": 500_000})
    rng, start = np.random.default_rng(1), dt.datetime(2014, 1, 1, tzinfo=dt.UTC)
    values = rng.uniform([0, -10, -30, 0, 0], [25, 35, 30, 360, 2050], (n_readings, 5)).round(2).tolist()
    for number, row in enumerate(values):
        step, which = divmod(number, len(sensors))
        at = (start + dt.timedelta(seconds=step * every_s)).isoformat()
        reading = {"sensor_id": sensors[which], "event_time": at, **dict(zip(FIELDS, row, strict=True))}
        producer.produce(topic, key=sensors[which], value=json.dumps(reading, separators=(",", ":")))
        producer.poll(0)
    producer.flush()


@contextlib.contextmanager
def application(fogs: dict[str, list[str]], topic: str) -> Iterator[tuple[psutil.Process, Path, Path]]:
    """Run fogs as one application; give its process, its data and its log."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = yaml.safe_load(DEMO.read_text())
        content["fogs"] = {fog: {"sensors": own, "topic": topic} for fog, own in fogs.items()}
        content["readings"] = {"unknown_sensors": "ignore"}
        (folder / "many.yaml").write_text(yaml.safe_dump(content))
        chosen = [part for fog in fogs for part in ("--fog", fog)]
        main = [str(ROOT / "spark_jobs" / "fog_node.py"), "--federation", "many", "--federations", name, *chosen]
        environment = {**os.environ, "FOGLINE_FOG_DATA": str(folder / "data")}
        log = folder / "log"
        with log.open("w") as output:
            started = subprocess.Popen(
                ["spark-submit", "--master", "local[1]", *main], env=environment, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield psutil.Process(started.pid), folder / "data" / "many", log
        finally:
            os.killpg(started.pid, signal.SIGTERM)
            started.wait(60)


def catch_up(fogs: dict[str, list[str]], topic: str, n_readings: int) -> tuple[float, float]:
    """Return the wall and CPU seconds in which fogs read all there is."""
    with application(fogs, topic) as (process, data, log):
        wait_until(lambda: "started: sensors" in log.read_text(), what="the start", deadline_s=DEADLINE_S, log=log)
        began, before = time.perf_counter(), cpu_s(process)
        done = lambda: n_received(data, fogs) == n_readings  # noqa: E731
        wait_until(done, what="all records", deadline_s=DEADLINE_S, every_s=0.25, log=log)
        wall_s, used_s = time.perf_counter() - began, cpu_s(process) - before
    print(f"{len(fogs):>3} fogs: {wall_s:.1f} s, {used_s:.1f} CPU s, {n_readings / used_s:,.0f} readings per CPU s")
    return wall_s, used_s


def idle(fogs: dict[str, list[str]], topic: str) -> None:
    """Print what fogs with nothing to do take."""
    with application(fogs, topic) as (process, _, log):
        wait_until(lambda: log.read_text().count("started: sensors") == len(fogs), what="all fogs",
                   deadline_s=DEADLINE_S, log=log)  # fmt: skip
        time.sleep(SETTLE_S)
        before = cpu_s(process)
        time.sleep(IDLE_S)
        share = (cpu_s(process) - before) / IDLE_S
        memory = sum(one.memory_full_info().pss for one in family(process)) / MIB
    print(f"{len(fogs):>3} fogs with nothing to do: {memory:.0f} MiB (PSS), {share:.1%} of a core")


def n_received(data: Path, fogs: dict[str, list[str]]) -> int:
    """Return how many records the fogs have counted."""
    total = 0
    for fog in fogs:
        # Only read, and not by `FogState`: the fogs are to be looked at and not to be slowed down.
        with contextlib.closing(sqlite3.connect(f"file:{data / fog / 'state.sqlite'}?mode=ro", uri=True)) as state:
            (found,) = state.execute("SELECT sum(n_before + n) FROM tally WHERE name = ?", (RECEIVED,)).fetchone()
        total += found or 0
    return total


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and what it started."""
    return [process, *process.children(recursive=True)]


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and what it started."""
    return sum(times.user + times.system for times in (one.cpu_times() for one in family(process)))


if __name__ == "__main__":
    sys.exit(main())
