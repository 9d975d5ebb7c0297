"""Fogs that read only the partitions where their keys can be, and the declaration that this rests on."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from fogline.federation import FederationError
from fogline.kafka.topics import ensure_topics
from fogline.partitioners import Partitioner, partition_of
from spark_jobs.fog.errors import FogError
from spark_jobs.fog.placement import Placement
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.fog_data import FogData
from tests.spark_jobs.fog.made import line
from tests.spark_jobs.fog.process import Farm, FogProcess, reading_json
from tests.support.records import RawTopic

StartFog = Callable[..., FogProcess]
N_PARTITIONS = 4
SENSORS = {"fog-a": "s1", "fog-b": "s2", "fog-c": "s4"}


class Scene:
    """Three fogs on a topic whose partitioner is declared."""

    def __init__(self, bootstrap_servers: str, folder: Path, declared: Partitioner, sent: Partitioner) -> None:
        ensure_topics(bootstrap_servers)
        name = f"farm_{uuid.uuid4().hex[:8]}"
        topic, self._sent_by = f"readings-{name}", sent
        fogs = {fog: {"sensors": [sensor], "topic": topic} for fog, sensor in SENSORS.items()}
        own = made.federation(folder, name=name, fogs=fogs, topics={topic: {"partitioner": declared}}, lateness="P30D")
        self.farm, self.topic = Farm(bootstrap_servers, own, topic), RawTopic(bootstrap_servers, topic)
        self.topic.make(N_PARTITIONS)
        self.data = {fog: FogData(folder / "data" / name / fog, own) for fog in SENSORS}

    def send(self, sensor: str, first: int, end: int, n_partitions: int = N_PARTITIONS) -> pa.Table:
        readings = line(self.farm.own, sensor, first, end)
        place = partition_of(sensor.encode(), n_partitions, self._sent_by)
        self.topic.send(place, [(sensor, reading_json(row)) for row in readings.to_pylist()])
        return readings


def test_a_fog_reads_its_own_partitions_the_warden_all_and_after_widening_everybody_all(
    kafka: str, start_fog: StartFog, tmp_path: Path
) -> None:
    scene = Scene(kafka, tmp_path, "crc32", "crc32")
    place = partition_of(b"s2", N_PARTITIONS, "crc32")
    sent = [scene.send("s2", 0, 3)]
    for sensor in ("s1", "s4"):
        scene.send(sensor, 0, 3)
    fog = start_fog(scene.farm, "fog-b")
    scene.data["fog-b"].await_received(72, fog)
    offsets = scene.data["fog-b"].folder / "stream" / "offsets" / "0"
    assert f'{{"{place}":' in offsets.read_text().splitlines()[-1]

    # Of the later records one half lies by each number of partitions.
    scene.topic.widen(2 * N_PARTITIONS)
    assert fog.wait() == 1
    assert "has 8 partitions now and had 4, so keys lie by both numbers; start the fogs again" in fog.said()
    sent += [scene.send("s2", 3, 4), scene.send("s2", 4, 6, 2 * N_PARTITIONS)]
    fog = start_fog(scene.farm, "fog-b")
    scene.data["fog-b"].await_received(144, fog)
    assert "has 8 partitions and had 4, so keys lie by both: all of them are read" in fog.said()
    fog.terminate()
    scene.data["fog-b"].require(received=144, kept=144)
    scene.data["fog-b"].require_stored(pa.concat_tables(sent))


def test_a_declaration_that_is_wrong_ends_the_warden_with_key_place_and_remedy(
    kafka: str, start_fog: StartFog, tmp_path: Path
) -> None:
    scene = Scene(kafka, tmp_path, "murmur2", "crc32")
    elsewhere = {
        sensor: (partition_of(sensor.encode(), N_PARTITIONS, "crc32"), partition_of(sensor.encode(), 4, "murmur2"))
        for sensor in SENSORS.values()
    }
    sensor, (found, expected) = next((name, both) for name, both in elsewhere.items() if both[0] != both[1])
    scene.send(sensor, 0, 1)
    fog = start_fog(scene.farm, "fog-a")
    assert fog.wait() == 1
    says = (
        f"[{found}]: the record at offset 0 has the key {sensor}, and by topics.{scene.topic.name}.partitioner: murmur2"
    )
    assert f"{says} that lies in partition {expected} of 4; declare the partitioner of the producers" in fog.said()


def test_only_the_federation_s_own_sensors_are_compared(tmp_path: Path) -> None:
    own = made.federation(tmp_path, topics={"sensor-data": {"partitioner": "crc32"}})
    placement = Placement(own, "sensor-data", N_PARTITIONS)
    places = {sensor: partition_of(sensor.encode(), N_PARTITIONS, "crc32") for sensor in ("s1", "s2", "s3")}
    assert placement.partitions_for(["fog-b"]) == [places["s2"]]
    assert placement.partitions_for(["fog-a", "fog-b"]) == [0, 1, 2, 3]

    def batch(*records: tuple[bytes | None, int]) -> pa.Table:
        keys, partitions = zip(*records, strict=True)
        columns = {"key": pa.array(keys, pa.binary()), "partition": pa.array(partitions, pa.int32())}
        return pa.table({**columns, "offset": pa.array(range(len(keys)), pa.int64())})

    right = [(sensor.encode(), place) for sensor, place in places.items()]
    placement.check(batch(*right, (None, 0), (b"stranger", 0), (b"stranger", 1)))
    with pytest.raises(FogError, match=r"sensor-data\[\d\]: the record at offset 3 has the key s2"):
        placement.check(batch(*right, (b"s2", (places["s2"] + 1) % N_PARTITIONS)))


def test_a_topic_that_no_fog_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match=r"topics\.sensor-dta: no fog reads it; they read sensor-data"):
        made.federation(tmp_path, topics={"sensor-dta": {"partitioner": "crc32"}})
