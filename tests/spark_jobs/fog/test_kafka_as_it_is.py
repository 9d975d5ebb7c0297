"""A running fog and what happens to its topic: each record is read or counted, or the fog says why it doesn't go on."""

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

from fogline.kafka.topics import ensure_topics
from fogline.metrics import PORT_VARIABLE
from fogline.stack.ports import free_ports
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until
from spark_jobs.fog.topics import LOOK_EVERY_S
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.conftest import REPOSITORY
from tests.spark_jobs.fog.fog_data import FogData
from tests.spark_jobs.fog.made import line
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


def records(*tables: pa.Table) -> list[tuple[str, bytes]]:
    return [(row["sensor_id"], reading_json(row)) for table in tables for row in table.to_pylist()]


class Scene:
    """A fog's topic, not made yet, and what may be sent to it."""

    def __init__(self, bootstrap_servers: str, folder: Path) -> None:
        self.farm = farm_without_a_topic(bootstrap_servers, folder)
        self.topic = RawTopic(bootstrap_servers, self.farm.topic)
        self.data = FogData(folder / "data" / self.farm.own.federation / "fog-a", self.farm.own)
        self._whole = {sensor: line(self.farm.own, sensor, 0, 30) for sensor in ("s1", "s3")}

    def s1(self, first: float, end: float) -> pa.Table:
        return self._days("s1", first, end)

    def s3(self, first: float, end: float) -> pa.Table:
        return self._days("s3", first, end)

    def _days(self, sensor: str, first: float, end: float) -> pa.Table:
        return self._whole[sensor].slice(round(first * A_DAY), round((end - first) * A_DAY))


def make_while_a_fog_waits(scene: Scene, fog: FogProcess, brokers_folder: Path) -> None:
    """Odd times of records, every codec, a partition whose head has expired, and another fog's sensor."""
    topic, s1, s3 = scene.topic, scene.s1, scene.s3
    fog.wait_for("waiting until there is the topic of the readings")
    with fog.paused():
        topic.make(3, message_timestamp_after_max_ms=str(2**63 - 1), retention_ms="-1")
        topic.send(0, records(s1(0, 1)), timestamps_ms=itertools.islice(itertools.cycle(ODD_TIMES_MS), A_DAY))
        for day, codec in enumerate(CODECS):
            topic.send(1, records(s3(day, day + 1)), codec)
        topic.send(2, records(s1(10, 11)))
        topic.send(2, records(line(scene.farm.own, "s2", 0, 1)))
        topic.expire(2, before=10)
    assert codecs_in(brokers_folder / f"{topic.name}-1" / f"{0:020}.log") == set(CODECS)
    scene.data.await_received(158, fog)
    assert f"{topic.name}[2]: begins at offset 10; the records before it expired before" in fog.said()


def change_while_it_reads(scene: Scene, fog: FogProcess) -> None:
    """The broker's times instead of the sender's, a transaction, and a partition more."""
    topic, s1, s3 = scene.topic, scene.s1, scene.s3
    with fog.paused():
        topic.set("message.timestamp.type", "LogAppendTime")
        topic.send(0, records(s1(1, 2)), timestamps_ms=[1] * A_DAY)
        topic.send_in_a_transaction(1, records(s3(10, 11)))
        topic.send(1, records(s3(11, 12)))
        topic.widen(4)
        topic.send(3, records(s3(6, 7)))
    scene.data.await_received(254, fog)
    fog.terminate()
    scene.data.require(received=254, kept=254)


def overtake_a_stopped_fog(scene: Scene, start_fog: StartFog) -> FogProcess:
    """Retention takes 10 of 24 new records, all 24, and nothing that was not read."""
    topic, data = scene.topic, scene.data
    topic.send(0, records(scene.s1(2, 3)))
    topic.send(3, records(scene.s3(7, 8)))
    for partition, before in ((0, 58), (3, 48), (1, 5)):
        topic.expire(partition, before)
    (port,) = free_ports(1)
    fog = start_fog(scene.farm, **{PORT_VARIABLE: str(port)})
    data.await_received(268, fog)
    data.require(received=268, kept=268, lost=34)
    assert f"{topic.name}[0]: 10 records of offsets 48 to 71 are lost" in fog.said()
    assert f"{topic.name}[3]: 24 records of offsets 24 to 47 are lost" in fog.said()
    assert f"{LOST} 34.0" in scraped_text(port)
    return fog


def make_anew_while_it_reads(scene: Scene, fog: FogProcess, anew: dict[int, pa.Table]) -> str:
    """As long as it was, so that no offset tells; gives the remedy that must be said."""
    with fog.paused():
        scene.topic.delete()
        scene.topic.make(len(anew))
        for partition, readings in anew.items():
            scene.topic.send(partition, records(readings))
    assert fog.wait() == 1
    remedy = f"made anew, so offsets mean other records; move {scene.data.folder / 'checkpoint'} away"
    assert remedy in fog.said()
    return remedy


def test_a_topic_is_read_whole_or_the_fog_says_what_is_missing(
    kafka: str, session_stack: Stack, start_fog: StartFog, refused: Callable[[Farm], str], tmp_path: Path
) -> None:
    scene = Scene(kafka, tmp_path)
    farm, data, s1, s3 = scene.farm, scene.data, scene.s1, scene.s3
    fog = start_fog(farm)
    make_while_a_fog_waits(scene, fog, session_stack.parts.kafka.folder / "data")
    change_while_it_reads(scene, fog)
    fog = overtake_a_stopped_fog(scene, start_fog)
    first_hour = 10 / A_DAY
    before = [s1(0, 2), s1(2 + first_hour, 3), s1(10 + first_hour, 11), s3(0, 5), s3(6, 7), s3(10, 12)]
    data.require_stored(pa.concat_tables(before))

    anew = {0: s3(0, 3), 1: s1(0, 169 / A_DAY), 2: s1(10, 12), 3: s3(20, 22)}
    assert make_anew_while_it_reads(scene, fog, anew) in refused(farm)
    identity: dict[str, Any] = json.loads(data.identity.read_text())
    data.identity.write_text(json.dumps({**identity, "federation": "mill"}))
    assert f"belongs to federation mill, not {farm.own.federation}; give FOGLINE_FOG_DATA another" in refused(farm)
    data.identity.write_text(json.dumps({**identity, "version": 9}))
    assert "version 9, and this Fogline knows version 2; run the Fogline that made it, or move" in refused(farm)

    # The remedy: all of the new topic is read, and what was there before is recognised.
    data.identity.parent.rename(tmp_path / "away")
    totals = data.totals()
    fog = start_fog(farm)
    n_anew, n_known = sum(readings.num_rows for readings in anew.values()), 72 + 62 + 14
    data.await_received(totals["received"] + n_anew, fog)
    assert "another process runs fog-a on this folder; stop it first" in refused(farm)
    fog.terminate()
    added = {name: n - totals.get(name, 0) for name, n in data.totals().items()}
    assert added == {"received": n_anew, "kept": n_anew - n_known, "duplicate": n_known, "lost": 0}
    data.require_stored(pa.concat_tables([*before, *anew.values()]))
    assert data.account().balance == 0


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
        data = FogData(tmp_path / "data" / farm.own.federation / "fog-a", farm.own)
        s1 = line(farm.own, "s1", 0, 10)
        topic.send(0, records(s1.slice(0, 120)))
        fog = start_fog(farm)
        data.await_received(120, fog)
        topic.send(1, records(s1.slice(120)))
        broker.kill()
        back_at = time.monotonic() + 40
        wait_until(lambda: time.monotonic() > back_at, what="40 s", deadline_s=60)
        broker.start()
        topic.send(0, records(line(farm.own, "s3", 0, 5)))
        data.await_received(360, fog)
        fog.terminate()
        data.require(received=360, kept=360)
        data.require_stored(pa.concat_tables([s1, line(farm.own, "s3", 0, 5)]))
