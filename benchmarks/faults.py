"""What faults in the readings do to the demo: the same rounds, with something else mixed into the readings.

``./fogline run python benchmarks/faults.py [--rounds 52] [--share 0.05] [--replace]``; it starts a stack of its own.
Each kind of `tests/support/faults.py` is equally likely, and so are readings that come twice, twice with other values,
and two days late; the rest is the demo's wind farm. `benchmarks/accuracy.py` gives errors and digest without faults.
"""

import argparse
import datetime as dt
from collections.abc import Iterator
from random import Random
from typing import Any

import pyarrow.parquet as pq
from confluent_kafka import Producer
from rich.console import Console

from fogline.federation import Federation
from fogline.kafka.topics import SENSOR_DATA
from fogline.ledger.database import Ledger
from fogline.rounds.tables import AccountRow, accounts_table
from fogline.stack.airflow import USER
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.demo import Demo
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until
from producer.sources.la_haute_borne import ensure_readings
from spark_jobs.fog.paths import FogPaths
from spark_jobs.fog.report import Stored
from spark_jobs.fog.state import RECEIVED, FogState
from tests.support.farm import Farm
from tests.support.faults import PLAIN_KINDS, Reading
from tests.support.stacks import fresh_stack

INGEST_DEADLINE_S = 600
SEQUENCES = ("sent twice", "other values", "late")
LATE_BY = dt.timedelta(days=2)

Sent = tuple[bytes | None, bytes | None]


def main() -> None:
    """Publish, wait for the fogs, run the rounds, show the errors and what became of the readings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=52)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replace", action="store_true", help="faults take a reading's place instead of following it")
    arguments = parser.parse_args()
    with fresh_stack() as stack:
        stack.up(producer=False)
        federation = Farm(stack).federation
        rows = pq.read_table(ensure_readings(stack.settings.tools / "cache")).to_pylist()
        random = Random(arguments.seed)
        sent = list(with_faults(federation, rows, arguments.share, random, replace=arguments.replace))
        publish(stack.settings.bootstrap_servers, sent)
        print(f"{len(rows):,} readings, {len(sent):,} records")
        wait_until(
            lambda: received(stack, federation) == len(sent),
            what="all records",
            deadline_s=INGEST_DEADLINE_S,
            every_s=1,
        )
        airflow = AirflowApi(stack.settings.airflow_url, USER, stack.parts.airflow.password)
        Demo(federation, Ledger(stack.parts.ledger_url), airflow, Console(width=140)).run(arguments.rounds)
        head = Farm(stack).chain()[-1]
        print(f"{head.name}: {head.digest[:12]}")
        print(accounts_table("All readings", [account_row(stack, federation, fog) for fog in federation.fogs]))


def with_faults(
    federation: Federation, rows: list[dict[str, Any]], share: float, random: Random, *, replace: bool
) -> Iterator[Sent]:
    """Give the records of readings, some of them replaced or followed by something else."""
    names = list(federation.fields)
    for row in rows:
        fields = {name: row[name] for name in names if row[name] is not None}
        hit = random.choice(list(fields) or [""])
        largest = federation.fields[hit].max if hit else 0.0
        reading = Reading(row["sensor_id"], row["event_time"], fields, hit, largest)
        key = reading.sensor.encode()
        if not hit or random.random() >= share:
            yield key, reading.json()
            continue
        name = random.choice([*PLAIN_KINDS, *SEQUENCES])
        if name not in PLAIN_KINDS or not replace:
            yield key, reading.json()
        if name in PLAIN_KINDS:
            yield PLAIN_KINDS[name].key(reading.sensor), PLAIN_KINDS[name].make(reading)
            continue
        old = Reading(reading.sensor, reading.at - LATE_BY, fields, reading.hit)
        again = {"sent twice": reading.json(), "other values": reading.json(**{reading.hit: 1.25}), "late": old.json()}
        yield key, again[name]


def publish(bootstrap_servers: str, sent: list[Sent]) -> None:
    """Send records in their order."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 50, "enable.idempotence": True})
    for key, value in sent:
        while True:
            try:
                producer.produce(SENSOR_DATA, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()


def paths(stack: Stack, federation: Federation, fog: str) -> FogPaths:
    """Return where a fog's data lie."""
    return FogPaths(stack.settings.home / "fogs", federation.federation, fog)


def received(stack: Stack, federation: Federation) -> int:
    """Return how many records the fogs have judged."""
    n = 0
    for fog in federation.fogs:
        if (file := paths(stack, federation, fog).state).is_file():
            state = FogState(file)
            n += state.totals().get(RECEIVED, 0)
            state.close()
    return n


def account_row(stack: Stack, federation: Federation, fog: str) -> AccountRow:
    """Return what became of a fog's records; they must all be accounted for."""
    where = paths(stack, federation, fog)
    stored = Stored.at(where, federation)
    account = stored.account()
    assert account.balance == 0, account
    return AccountRow(fog, account)


if __name__ == "__main__":
    main()
