"""Several fogs in one application: one query for a topic, and each record counts once at its own fog."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import ensure_topics
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.fog_data import FogData
from tests.spark_jobs.fog.made import line
from tests.spark_jobs.fog.process import Farm, FogProcess, reading_json

StartFog = Callable[..., FogProcess]
SENSORS = {"fog-a": ("s1", "s3"), "fog-b": ("s2",), "fog-c": ("s4",), "fog-d": ("s5",)}
N_DAY = 24
BAD = b"{"


class Fleet:
    """Three fogs on one topic and fog-d on its own, and what each of them must have."""

    def __init__(self, bootstrap_servers: str, folder: Path) -> None:
        ensure_topics(bootstrap_servers)
        name = f"farm_{uuid.uuid4().hex[:8]}"
        self.topic, self.own_topic = f"readings-{name}", f"own-{name}"
        admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        for topic, n_partitions in ((self.topic, 3), (self.own_topic, 1)):
            admin.create_topics([NewTopic(topic, n_partitions, 1)])[topic].result(30)
        topics = {fog: self.own_topic if fog == "fog-d" else self.topic for fog in SENSORS}
        fogs = {fog: {"sensors": list(own), "topic": topics[fog]} for fog, own in SENSORS.items()}
        own = made.federation(folder, name=name, fogs=fogs, lateness="P30D")
        self.farm = Farm(bootstrap_servers, own, self.topic)
        self.data = {fog: FogData(folder / "data" / name / fog, own) for fog in SENSORS}
        self._publisher = Publisher({"bootstrap.servers": bootstrap_servers})
        self.sent: dict[str, list[pa.Table]] = {fog: [] for fog in SENSORS}
        self.n_bad = dict.fromkeys(SENSORS, 0)

    def send(self, first: int, end: int, *fogs: str) -> None:
        """Send readings of some days of the fogs' sensors, and a record of each sensor that is none."""
        for fog in fogs:
            for sensor in SENSORS[fog]:
                readings = line(self.farm.own, sensor, first, end)
                self.sent[fog].append(readings)
                self.n_bad[fog] += 1
                if fog == "fog-d":
                    self._publisher.publish([Record(self.own_topic, sensor, BAD)])
                    self._publisher.publish(as_records(self.own_topic, readings))
                else:
                    self.farm.send([(sensor, BAD)])
                    self.farm.send_readings(readings)

    def n_received(self, fog: str) -> int:
        return self.n_bad[fog] + sum(one.num_rows for one in self.sent[fog])

    def require(self, process: FogProcess, *fogs: str) -> None:
        """Wait until the fogs have all that was sent to them, and check that each record became one thing once."""
        for fog in fogs:
            self.data[fog].await_received(self.n_received(fog), process)
            n_kept = sum(one.num_rows for one in self.sent[fog])
            self.data[fog].require(received=self.n_received(fog), kept=n_kept, not_json=self.n_bad[fog])
            self.data[fog].require_stored(pa.concat_tables(self.sent[fog]))
            account = self.data[fog].account()
            assert (account.balance, account.received) == (0, self.n_received(fog))
            assert account.quarantined == {"not_json": self.n_bad[fog]}

    def quarantined(self) -> set[tuple[str, str, str]]:
        """Return the places of the shared topic's quarantined records, and which fog said so."""
        n = sum(self.n_bad[fog] for fog in SENSORS if fog != "fog-d")
        return {(one["partition"], one["offset"], one["fog"]) for _, one in self.farm.rejected(n)}


def as_records(topic: str, readings: pa.Table) -> list[Record]:
    return [Record(topic, row["sensor_id"], reading_json(row)) for row in readings.to_pylist()]


@pytest.fixture
def fleet(kafka: str, tmp_path: Path) -> Fleet:
    return Fleet(kafka, tmp_path)


def test_one_query_for_a_topic_and_each_record_at_its_fog(fleet: Fleet, start_fog: StartFog) -> None:
    fleet.send(0, 5, *SENSORS)
    fleet.farm.send([("stranger", BAD), ("s4", None)])
    process = start_fog(fleet.farm, *SENSORS)
    for fog in SENSORS:
        extra = {"fog-a": 1, "fog-c": 1}.get(fog, 0)
        fleet.data[fog].await_received(fleet.n_received(fog) + extra, process)
        fleet.data[fog].require_stored(pa.concat_tables(fleet.sent[fog]))
    fleet.data["fog-a"].require(received=243, kept=240, not_json=2, unknown_sensor=1)
    fleet.data["fog-c"].require(received=122, kept=120, not_json=1, no_value=1)
    streams = sorted(path.parent.name for path in fleet.data["fog-a"].folder.parent.glob("*/stream"))
    assert streams == ["fog-a", "fog-d"]
    process.terminate()
    assert "Traceback" not in process.said()


def test_killed_between_two_fogs_records_of_a_batch_each_counts_once(
    fleet: Fleet, run_until_killed: StartFog, start_fog: StartFog
) -> None:
    fogs = ("fog-a", "fog-b", "fog-c")
    fleet.send(0, 5, *fogs)
    run_until_killed(fleet.farm, "ingest, recorded", *fogs)
    received = {fog: fleet.data[fog].totals().get("received", 0) for fog in fogs}
    assert received == {"fog-a": fleet.n_received("fog-a"), "fog-b": 0, "fog-c": 0}
    fleet.send(5, 6, *fogs)
    fleet.require(start_fog(fleet.farm, *fogs), *fogs)
    assert {fog for _, _, fog in fleet.quarantined()} == set(fogs)


def test_a_fog_that_is_added_reads_the_topic_from_its_start_and_the_others_go_on(
    fleet: Fleet, start_fog: StartFog
) -> None:
    fleet.send(0, 5, "fog-a", "fog-b", "fog-c")
    process = start_fog(fleet.farm, "fog-b", "fog-c")
    fleet.require(process, "fog-b", "fog-c")
    process.terminate()
    fleet.send(5, 7, "fog-a", "fog-b", "fog-c")
    process = start_fog(fleet.farm, "fog-a", "fog-b", "fog-c")
    fleet.require(process, "fog-a", "fog-b", "fog-c")
    process.terminate()
    assert "lost" not in process.said()


def test_a_fog_that_moves_to_an_application_of_its_own_goes_on_where_it_was_and_so_do_the_others(
    fleet: Fleet, start_fog: StartFog
) -> None:
    fogs = ("fog-a", "fog-b", "fog-c")
    fleet.send(0, 3, *fogs)
    together = start_fog(fleet.farm, *fogs)
    fleet.require(together, *fogs)
    together.kill()
    fleet.send(3, 5, *fogs)
    # The first one, in whose folder Spark's checkpoint lay, and both at once.
    alone, others = start_fog(fleet.farm, "fog-a"), start_fog(fleet.farm, "fog-b", "fog-c")
    fleet.require(alone, "fog-a")
    fleet.require(others, "fog-b", "fog-c")
    alone.kill()
    fleet.send(5, 6, *fogs)
    fleet.require(others, "fog-b", "fog-c")
    others.terminate()
    # Back together, where fog-a is behind the others.
    fleet.require(start_fog(fleet.farm, *fogs), *fogs)
