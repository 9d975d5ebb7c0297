"""A running fog and what happens to its topic: each record is read or counted, or the fog says why it doesn't go on."""

import functools
import itertools
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fogline.federation import Federation
from fogline.kafka.topics import ensure_topics
from fogline.messages.account import ReadingAccount
from fogline.metrics import PORT_VARIABLE
from fogline.stack.ports import free_ports
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until
from spark_jobs.fog.report import Stored
from spark_jobs.fog.state import FogState
from spark_jobs.fog.topics import LOOK_EVERY_S
from spark_jobs.fog.unused import UnusedRecords
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.conftest import REPOSITORY
from tests.spark_jobs.fog.made import line, span
from tests.spark_jobs.fog.process import DEADLINE_S, Farm, FogProcess, reading_json
from tests.support.brokers import own_broker
from tests.support.prometheus import scraped_text
from tests.support.records import CODECS, RawTopic, codecs_in

StartFog = Callable[..., FogProcess]
A_DAY = 24
# librdkafka takes 0 for now; the first millisecond of 1970, its second day, the year 2100, now.
ODD_TIMES_MS = (1, 86_400_000, 4_102_444_800_000, 0)
LOST = 'fogline_fog_records_lost_total{fog="fog-a"}'


def farm_without_a_topic(bootstrap_servers: str, folder: Path) -> Farm:
    ensure_topics(bootstrap_servers)
    name = f"farm_{uuid.uuid4().hex[:8]}"
    topic = f"readings-{name}"
    fogs = {"fog-a": {"sensors": ["s1", "s3"], "topic": topic}, "fog-b": {"sensors": ["s2"], "topic": topic}}
    # Partitions are read in no order, so nothing here may be late.
    own = made.federation(folder, name=name, fogs=fogs, lateness="P30D")
    return Farm(bootstrap_servers, own, topic)


class Ledger:
    """What a fog has in its folder, read from outside."""

    def __init__(self, folder: Path, own: Federation) -> None:
        self.folder, self._own = folder, own

    @property
    def identity(self) -> Path:
        return self.folder / "checkpoint" / "fogline.json"

    def totals(self) -> dict[str, int]:
        if not (self.folder / "state.sqlite").is_file():
            return {}
        state = FogState(self.folder / "state.sqlite")
        try:
            return state.totals()
        finally:
            state.close()

    def account(self) -> ReadingAccount:
        unused = UnusedRecords(self.folder / "unused", self._own.lateness)
        return Stored(self._own, made.store(self._own, self.folder), unused).account()

    def await_received(self, n_records: int, fog: FogProcess) -> None:
        def are_there() -> bool:
            assert fog.is_alive(), fog.said()[-3000:]
            return self.totals().get("received", 0) >= n_records

        wait_until(are_there, what=f"{n_records} records", deadline_s=DEADLINE_S, log=fog.log)

    def require(self, **expected: int) -> None:
        """Check the totals, and that each received record became something."""
        totals = {name: n for name, n in self.totals().items() if n}
        assert totals == expected
        assert totals["received"] == sum(n for name, n in totals.items() if name not in ("received", "lost"))

    def require_stored(self, readings: pa.Table) -> None:
        stored = made.store(self._own, self.folder).read([span(0, 60)])
        assert rows_of(stored) == sorted(set(rows_of(readings)))


@pytest.fixture
def start_bare(tmp_path: Path) -> Callable[[Farm], FogProcess]:
    """Start a fog that ends before it needs Spark."""

    def start(farm: Farm) -> FogProcess:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")]),
            "FOGLINE_KAFKA_BOOTSTRAP_SERVERS": farm.bootstrap_servers,
            "FOGLINE_FOG_DATA": str(tmp_path / "data"),
        }
        main = [str(REPOSITORY / "spark_jobs" / "fog_node.py"), "--federation", farm.own.federation, "--fog", "fog-a"]
        command = [sys.executable, *main, "--federations", str(tmp_path)]
        return FogProcess(command, environment, tmp_path / "bare.log")

    return start


@pytest.fixture
def refused(start_bare: Callable[[Farm], FogProcess]) -> Callable[[Farm], str]:
    """Start a fog that must refuse; gives the one line that it says."""

    def start(farm: Farm) -> str:
        fog = start_bare(farm)
        assert fog.wait() == 1
        (line_said,) = fog.said().splitlines()
        return line_said

    return start


def rows_of(readings: pa.Table) -> list[tuple[Any, ...]]:
    """Return readings without their places, in order."""
    times = readings["event_time"].cast(pa.timestamp("us")).to_pylist()
    return sorted(zip(readings["sensor_id"].to_pylist(), times, *(readings[n].to_pylist() for n in "xy"), strict=True))


def records(*tables: pa.Table) -> list[tuple[str, bytes]]:
    return [(row["sensor_id"], reading_json(row)) for table in tables for row in table.to_pylist()]


def test_a_topic_is_read_whole_or_the_fog_says_what_is_missing(
    kafka: str, session_stack: Stack, start_fog: StartFog, refused: Callable[[Farm], str], tmp_path: Path
) -> None:
    farm = farm_without_a_topic(kafka, tmp_path)
    topic = RawTopic(kafka, farm.topic)
    ledger = Ledger(tmp_path / "data" / farm.own.federation / "fog-a", farm.own)
    whole = {sensor: line(farm.own, sensor, 0, 30) for sensor in ("s1", "s3")}

    def days(sensor: str, first: int, end: int) -> pa.Table:
        return whole[sensor].slice(first * A_DAY, (end - first) * A_DAY)

    s1, s3 = functools.partial(days, "s1"), functools.partial(days, "s3")

    # Made after the fog was started: odd times of records, every codec, a partition whose head has expired, and
    # another fog's sensor.
    fog = start_fog(farm)
    fog.wait_for("waiting until there is the topic of the readings")
    with fog.paused():
        topic.make(3, message_timestamp_after_max_ms=str(2**63 - 1), retention_ms="-1")
        topic.send(0, records(s1(0, 1)), timestamps_ms=itertools.islice(itertools.cycle(ODD_TIMES_MS), A_DAY))
        for day, codec in enumerate(CODECS):
            topic.send(1, records(s3(day, day + 1)), codec)
        topic.send(2, records(s1(10, 11)))
        topic.send(2, records(line(farm.own, "s2", 0, 1)))
        topic.expire(2, before=10)
    data = session_stack.parts.kafka.folder / "data"
    assert codecs_in(data / f"{farm.topic}-1" / f"{0:020}.log") == set(CODECS)
    ledger.await_received(158, fog)
    assert f"{farm.topic}[2]: begins at offset 10; the records before it expired before" in fog.said()

    # The broker's times instead of the sender's, a transaction, and a partition more while it runs.
    with fog.paused():
        topic.set("message.timestamp.type", "LogAppendTime")
        topic.send(0, records(s1(1, 2)), timestamps_ms=[1] * A_DAY)
        topic.send_in_a_transaction(1, records(s3(10, 11)))
        topic.send(1, records(s3(11, 12)))
        topic.widen(4)
        topic.send(3, records(s3(6, 7)))
    ledger.await_received(254, fog)
    fog.terminate()
    ledger.require(received=254, kept=254)

    # Retention overtakes a stopped fog: 10 of 24, all 24, and nothing that it had not read.
    topic.send(0, records(s1(2, 3)))
    topic.send(3, records(s3(7, 8)))
    for partition, before in ((0, 58), (3, 48), (1, 5)):
        topic.expire(partition, before)
    (port,) = free_ports(1)
    fog = start_fog(farm, **{PORT_VARIABLE: str(port)})
    ledger.await_received(268, fog)
    ledger.require(received=268, kept=268, lost=34)
    assert f"{farm.topic}[0]: 10 records of offsets 48 to 71 are lost" in fog.said()
    assert f"{farm.topic}[3]: 24 records of offsets 24 to 47 are lost" in fog.said()
    assert f"{LOST} 34.0" in scraped_text(port)
    before = pa.concat_tables([s1(0, 2), s1(2, 3).slice(10), s1(10, 11).slice(10), s3(0, 5), s3(6, 7), s3(10, 12)])
    ledger.require_stored(before)

    # Made anew and as long as it was, so that no offset tells.
    anew = {0: s3(0, 3), 1: whole["s1"].slice(0, 169), 2: s1(10, 12), 3: s3(20, 22)}
    with fog.paused():
        topic.delete()
        topic.make(4)
        for partition, readings in anew.items():
            topic.send(partition, records(readings))
    assert fog.wait() == 1
    remedy = f"made anew, so offsets mean other records; move {ledger.folder / 'checkpoint'} away"
    assert remedy in fog.said()
    assert remedy in refused(farm)

    # Of another federation, of another Fogline.
    identity: dict[str, Any] = json.loads(ledger.identity.read_text())
    ledger.identity.write_text(json.dumps({**identity, "federation": "mill"}))
    assert f"belongs to federation mill, not {farm.own.federation}; give FOGLINE_FOG_DATA another" in refused(farm)
    ledger.identity.write_text(json.dumps({**identity, "version": 9}))
    assert "version 9, and this Fogline knows version 1; run the Fogline that made it, or move" in refused(farm)

    # The remedy: all of the new topic is read, and what was there before is recognised.
    ledger.identity.parent.rename(tmp_path / "away")
    totals = ledger.totals()
    fog = start_fog(farm)
    n_anew, n_known = sum(readings.num_rows for readings in anew.values()), 72 + 62 + 14
    ledger.await_received(totals["received"] + n_anew, fog)
    assert "another process runs fog-a on this folder; stop it first" in refused(farm)
    fog.terminate()
    added = {name: n - totals.get(name, 0) for name, n in ledger.totals().items()}
    assert added == {"received": n_anew, "kept": n_anew - n_known, "duplicate": n_known, "lost": 0}
    ledger.require_stored(pa.concat_tables([before, *anew.values()]))
    assert ledger.account().balance == 0


def test_a_fog_that_waits_for_its_topic_says_so_once_and_can_be_ended(
    kafka: str, start_bare: Callable[[Farm], FogProcess], tmp_path: Path
) -> None:
    farm = farm_without_a_topic(kafka, tmp_path)
    fog = start_bare(farm)
    fog.wait_for(f"topic {farm.topic}")
    looked_again = time.monotonic() + 2 * LOOK_EVERY_S
    wait_until(lambda: time.monotonic() > looked_again, what="another look", deadline_s=DEADLINE_S)
    assert fog.terminate() == 0
    waits, ended = fog.said().splitlines()
    assert "python -m fogline.kafka.topics creates it" in waits
    assert ended.endswith("ended")


def test_a_broker_that_is_away_for_40_s_costs_no_reading(
    session_stack: Stack, start_fog: StartFog, tmp_path: Path
) -> None:
    with own_broker(tmp_path / "broker", session_stack.parts.kafka) as broker:
        farm = farm_without_a_topic(broker.kafka.bootstrap_servers, tmp_path)
        topic = RawTopic(farm.bootstrap_servers, farm.topic)
        topic.make(2)
        ledger = Ledger(tmp_path / "data" / farm.own.federation / "fog-a", farm.own)
        s1 = line(farm.own, "s1", 0, 10)
        topic.send(0, records(s1.slice(0, 120)))
        fog = start_fog(farm)
        ledger.await_received(120, fog)
        topic.send(1, records(s1.slice(120)))
        broker.kill()
        back_at = time.monotonic() + 40
        wait_until(lambda: time.monotonic() > back_at, what="40 s", deadline_s=60)
        broker.start()
        topic.send(0, records(line(farm.own, "s3", 0, 5)))
        ledger.await_received(360, fog)
        fog.terminate()
        ledger.require(received=360, kept=360)
        ledger.require_stored(pa.concat_tables([s1, line(farm.own, "s3", 0, 5)]))
