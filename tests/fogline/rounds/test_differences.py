import datetime as dt
from pathlib import Path

from fogline.messages.answer import SensorDay
from fogline.messages.seal import Seal
from fogline.rounds.differences import differences
from tests.support.federations import small_federation
from tests.support.plans import some_weights, train_plan, update


def day(n_readings: int) -> SensorDay:
    return SensorDay(sensor_id="s1", date=dt.date(2024, 1, 1), n_readings=n_readings, sha256=f"{n_readings:064d}")


def test_the_same_updates_do_not_differ(tmp_path: Path) -> None:
    plan = train_plan(small_federation(tmp_path))
    seal = Seal(plan=plan, answers=(update(plan, "fog-a"),))
    later = Seal(plan=plan.model_copy(update={"plan_id": "small/main/2"}), answers=seal.answers)
    assert differences(seal, later) == []


def test_it_says_which_fog_sensor_day_and_count(tmp_path: Path) -> None:
    plan = train_plan(small_federation(tmp_path))
    then = Seal(plan=plan, answers=(update(plan, "fog-a", readings=(day(10),)), update(plan, "fog-b")))
    changed = update(plan, "fog-a", readings=(day(11),), weights=some_weights(digest="1" * 64))
    found = differences(then, Seal(plan=plan, answers=(changed,)))
    assert "fog-a: weights 111111111111, then 000000000000" in found
    assert any("fog-a: sensor s1 on 2024-01-01: 11 readings" in line and "then 10 readings" in line for line in found)
    assert "fog-b took part then and does not now" in found
