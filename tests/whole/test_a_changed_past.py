"""A round recomputed after a fog's readings of that time have changed: what differs is said, nothing is published."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import REPLAY_HEADER, SENSOR_DATA
from fogline.stack.waiting import wait_until
from tests.support.farm import DEADLINE_S, ROUNDS, Farm

SENSOR, DAY = "R80711", "2014-01-03"
READING = {"sensor_id": SENSOR, "event_time": f"{DAY}T00:05:00+00:00", "wind_speed": 5.0, "power": 300.0}
N_READINGS_A_DAY = 144


def n_readings(farm: Farm) -> int:
    """Return how many readings fog-1 has of the day; none while its files are being replaced."""
    folder = farm.stack.settings.home / "fogs" / "wind_farm" / "fog-1" / "readings" / f"date={DAY}"
    try:
        return sum(pq.ParquetFile(path).metadata.num_rows for path in folder.glob("[!.]*.parquet"))
    except (OSError, pa.ArrowInvalid):
        return 0


# What it adds to the past would change every later round.
@pytest.mark.last
@pytest.mark.timeout(600)
def test_the_fog_the_sensor_the_day_and_the_number_of_readings_are_named(farm: Farm) -> None:
    if len(farm.chain()) == 1:
        farm.backfill(0, 0)
    before = [(row.name, row.digest) for row in farm.chain()]
    assert n_readings(farm) == N_READINGS_A_DAY
    kafka = {"bootstrap.servers": farm.stack.settings.bootstrap_servers}
    again = ((REPLAY_HEADER, "1"),)
    Publisher(kafka).publish([Record(SENSOR_DATA, SENSOR, json.dumps(READING).encode(), headers=again)])
    wait_until(lambda: n_readings(farm) == N_READINGS_A_DAY + 1, what="the late reading", deadline_s=DEADLINE_S)

    run_id = farm.await_run(0)
    farm.runs.clear(ROUNDS, run_id, ["announce_round"], with_downstream=True)
    log = farm.await_log(run_id, "publish_global_model", "it differs from main@1")
    assert "fog-1: weights " in log
    assert f"fog-1: sensor {SENSOR} on {DAY}: 145 readings (" in log and "then 144 readings (" in log
    assert not any(f"fog-{number}: " in log for number in (2, 3, 4))
    farm.wait(ROUNDS, run_id, expected="failed")
    assert [(row.name, row.digest) for row in farm.chain()] == before
