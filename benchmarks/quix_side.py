"""Quix Streams' side of `benchmarks/ingest.py`, run by the Python of an environment that has it.

It reads each record as JSON, keeps the four sensors' and writes Parquet, as its documentation shows; it checks nothing.
"""

import json
import logging
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pyarrow.parquet as pq
from quixstreams import Application
from quixstreams.sinks.community.file.local import LocalFileSink

COMMIT_EVERY = 200_000
TIMEOUT_S = 60


def main(servers: str, topic: str, sensors: str, n_readings: int) -> None:
    """Ingest the whole topic and print the figures as JSON."""
    logging.disable(logging.WARNING)
    kept = frozenset(sensors.split(","))
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=servers,
            consumer_group=uuid.uuid4().hex,
            auto_offset_reset="earliest",
            commit_every=COMMIT_EVERY,
            commit_interval=TIMEOUT_S,
            state_dir=f"{folder}/state",
            loglevel=None,
        )
        rows = app.dataframe(app.topic(topic, value_deserializer="json"))
        rows = rows.filter(lambda reading: reading["sensor_id"] in kept)
        rows.sink(LocalFileSink(directory=f"{folder}/rows", format="parquet"))
        before, began = os.times(), time.perf_counter()
        app.run(count=n_readings, timeout=TIMEOUT_S)
        wall_s, after = time.perf_counter() - began, os.times()
        n_stored = sum(pq.read_metadata(file).num_rows for file in Path(folder, "rows").rglob("*.parquet"))
    cpu_s = after.user + after.system - before.user - before.system
    print(json.dumps({"n_stored": n_stored, "wall_s": wall_s, "cpu_s": cpu_s, "java_cpu_s": 0.0, "grown": []}))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
