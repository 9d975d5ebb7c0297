"""A day's stream with faults of all kinds in it, through a fog that is killed three times: the account balances."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fogline.kafka.publish import Publisher, Record
from fogline.messages.plan import Interval
from fogline.stack.waiting import wait_until
from spark_jobs.fog.report import Stored
from spark_jobs.fog.rules import RejectionKind
from spark_jobs.fog.state import FogState
from spark_jobs.fog.unused import DUPLICATE, LATE
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import DAY, at, span, unit_scaler
from tests.spark_jobs.fog.process import DEADLINE_S, ZEROS, Farm, FogProcess
from tests.support.faults import KEPT, MISSING_VALUE, PLAIN_KINDS, Reading
from tests.support.plans import train_plan

N_A_DAY = 8_640
SHARE_OF_FAULTS = 0.05
N_KILLS = 3
HOUR = DAY / 24
N_AT_ONCE = 200


@dataclass(frozen=True)
class Sent:
    """A record and what must become of it; ``row`` is the reading that is kept."""

    key: bytes | None
    value: bytes | None
    outcome: str
    row: tuple[str, Any, float | None] | None = None


def day_of(sensor: str, random: Random) -> Iterator[Sent]:
    """Give a sensor's readings of day 1, in the order of time, one in twenty replaced by another kind of arrival."""
    for number in range(N_A_DAY):
        reading = Reading(
            sensor, at(1) + number * DAY / N_A_DAY, {"x": round(random.uniform(-1, 1), 3), "y": 1.0}, "x", 10
        )
        row = (sensor, reading.at, reading.fields["x"])
        if random.random() >= SHARE_OF_FAULTS:
            yield Sent(sensor.encode(), reading.json(), KEPT, row)
            continue
        name = random.choice([*PLAIN_KINDS, "sent twice", "other values", "late"])
        if name in PLAIN_KINDS:
            kind = PLAIN_KINDS[name]
            kept = {KEPT: row, MISSING_VALUE: (*row[:2], None)}.get(kind.outcome)
            if name == "integer for a number":
                kept = (*row[:2], float(round(reading.fields["x"])))
            yield Sent(kind.key(sensor), kind.make(reading), KEPT if kept else kind.outcome, kept)
            continue
        yield Sent(sensor.encode(), reading.json(), KEPT, row)
        if name == "late" and number > N_A_DAY / 8:
            old = Reading(sensor, reading.at - 2 * HOUR, reading.fields, "x")
            yield Sent(sensor.encode(), old.json(), LATE)
        else:
            twice = reading.json() if name == "sent twice" else reading.json(x=9.5)
            yield Sent(sensor.encode(), twice, DUPLICATE if name == "sent twice" else RejectionKind.CONFLICT)


def shuffled(records: list[Sent], random: Random, n: int = 30) -> list[Sent]:
    """Return records out of order by at most ``n``; what came twice keeps its order."""
    found = []
    for start in range(0, len(records), n):
        part = records[start : start + n]
        # Only sound readings change places: the order decides which of two is the first.
        places = [place for place, one in enumerate(part) if one.outcome == KEPT]
        firsts = [place for place in places if place + 1 == len(part) or part[place + 1].outcome == KEPT]
        for place, other in zip(firsts, random.sample(firsts, len(firsts)), strict=True):
            found.append((start + place, part[other]))
        found += [(start + place, one) for place, one in enumerate(part) if place not in firsts]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


@pytest.mark.timeout(300)
def test_every_record_is_accounted_for_and_every_kept_reading_is_right(
    make_farm: Callable[..., Farm], start_fog: Callable[[Farm], FogProcess], tmp_path: Path
) -> None:
    farm, random = make_farm(lateness="PT1H"), Random(6)
    sensors = [shuffled(list(day_of(sensor, random)), random) for sensor in ("s1", "s3")]
    records = [one for pair in zip(*sensors, strict=False) for one in pair]
    folder = tmp_path / "data" / farm.own.federation / "fog-a"
    publish_through_kills(farm, records, folder, start_fog)

    fog = start_fog(farm)
    received = lambda: totals(folder).get("received")  # noqa: E731
    wait_until(lambda: received() == len(records), what="the last record", deadline_s=DEADLINE_S, log=fog.log)
    stored = Stored(farm.own, made.store(farm.own, folder), made.unused(farm.own, folder))
    wanted = Counter(one.outcome for one in records)
    account = stored.account()
    assert account.balance == 0
    assert account.received == len(records)
    assert account.used == wanted.pop(KEPT)
    assert Counter({DUPLICATE: account.duplicate, LATE: account.late, **account.quarantined}) == wanted
    kept = stored.readings.read_with_places([span(0, 3)]).to_pylist()
    assert {(row["sensor_id"], row["event_time"], row["x"]) for row in kept} == {one.row for one in records if one.row}
    require_manifest(farm, wanted)
    fog.terminate()
    assert "Traceback" not in fog.said()


def publish_through_kills(
    farm: Farm, records: list[Sent], folder: Path, start_fog: Callable[[Farm], FogProcess]
) -> None:
    """Publish a day, a part for each life of the fog; it is killed three times while it reads."""
    size = -(-len(records) // (N_KILLS + 1))
    parts = [records[start : start + size] for start in range(0, len(records), size)]
    for part in parts[:-1]:
        before = totals(folder).get("received", 0)
        published = threading.Thread(target=publish, args=(farm, part))
        published.start()
        fog = start_fog(farm)
        wait_until(
            lambda before=before: totals(folder).get("received", 0) > before,
            what="some of a part's records",
            deadline_s=DEADLINE_S,
            log=fog.log,
        )
        fog.kill()
        published.join()
    publish(farm, parts[-1])


def publish(farm: Farm, records: list[Sent]) -> None:
    """Publish in the order given, some at a time."""
    publisher = Publisher({"bootstrap.servers": farm.bootstrap_servers})
    pause = threading.Event()
    for start in range(0, len(records), N_AT_ONCE):
        publisher.publish([Record(farm.topic, one.key, one.value) for one in records[start : start + N_AT_ONCE]])
        pause.wait(0.25)


def totals(folder: Path) -> dict[str, int]:
    """Return what the fog has counted; nothing before it has begun."""
    if not (folder / "state.sqlite").is_file():
        return {}
    state = FogState(folder / "state.sqlite")
    found = state.totals()
    state.close()
    return found


def require_manifest(farm: Farm, wanted: Counter[str]) -> None:
    """Check the account of an update whose window is the day."""
    plan = train_plan(
        farm.own,
        plan_id=f"{farm.own.federation}/main/1",
        interval=Interval(index=1, start=at(1), end=at(2)),
        window=span(0, 2),
        models=(farm.model("base", ZEROS),),
        scaler=unit_scaler(),
        deadline_s=20.0,
    )
    farm.announce(plan)
    answer = farm.answer_to(plan)
    assert answer.account is not None
    assert answer.account.balance == 0
    assert answer.account.used == answer.n_examples
    found = {DUPLICATE: answer.account.duplicate, LATE: answer.account.late, **answer.account.quarantined}
    assert Counter(found) == wanted
