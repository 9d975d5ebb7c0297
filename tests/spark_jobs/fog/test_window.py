"""What an update says of its window's readings, and whose readings a federation leaves out."""

from pathlib import Path
from typing import Any

import pytest

from fogline.federation import Federation
from fogline.messages.answer import Answer
from fogline.messages.plan import Interval, ModelReference
from fogline.scaling import Scaler
from spark_jobs.fog.answer import Answerer
from spark_jobs.fog.errors import Decline, PlanDeclined
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import at, line, readings, span, unit_scaler
from tests.spark_jobs.fog.process import ZEROS
from tests.spark_jobs.fog.test_unused import rows
from tests.support.plans import some_weights, train_plan

STUCK = {
    "fields": {"x": {"min": -10, "max": 10, "stuck_after": "PT6H"}, "y": {"min": -100, "max": 100}},
    "readings": {"leave_out": ["stuck"]},
}


def answer_of(own: Federation, folder: Path, *stuck: str) -> Answer:
    """Return the update over days 2 and 3, of which some sensors report the same all the time."""
    store, unused = made.store(own, folder), made.unused(own, folder)
    for number, sensor in enumerate(("s1", "s3")):
        moving = line(own, sensor, 0, 5, offset=1000 * number)
        still = readings(own, sensor, [day / 24 for day in range(120)], [0.5] * 120, offset=1000 * number)
        store.write(f"c-{number}", still if sensor in stuck else moving)
    unused.write("c-0", rows("late", "duplicate", "not_json", "not_json", offset=500, day=3.5))
    unused.write("c-1", rows("late", offset=600, day=4.5))
    scaler: Scaler = unit_scaler()
    plan = train_plan(
        own,
        interval=Interval(index=3, start=at(3), end=at(4)),
        window=span(2, 4),
        models=(ModelReference(name="base", version="main@0", weights=some_weights()),),
        scaler=scaler,
    )
    answerer = Answerer(own.specification(), "fog-a", store, unused, lambda weights: ZEROS)
    return answerer.answer(plan, ()).answer


def test_the_account_balances_and_names_what_was_not_kept(tmp_path: Path) -> None:
    account = answer_of(made.federation(tmp_path), tmp_path).account
    assert account is not None
    assert account.balance == 0
    assert (account.received, account.used, account.late, account.duplicate) == (100, 96, 1, 1)
    assert account.quarantined == {"not_json": 2}


def test_held_out_days_and_missing_targets_are_counted_apart(tmp_path: Path) -> None:
    own = made.federation(tmp_path, held_out_share=0.5, seed=0, target={"name": "t", "expression": "nullif(y, 2.0)"})
    store, unused = made.store(own, tmp_path), made.unused(own, tmp_path)
    store.write("c-0", readings(own, "s1", [2 + i / 48 for i in range(96)], [0.5, None, 1.0, 1.5] * 24))
    plan = train_plan(
        own,
        interval=Interval(index=3, start=at(3), end=at(4)),
        window=span(2, 4),
        models=(ModelReference(name="base", version="main@0", weights=some_weights()),),
        scaler=unit_scaler(),
    )
    answer = Answerer(own.specification(), "fog-a", store, unused, lambda weights: ZEROS).answer(plan, ()).answer
    account = answer.account
    assert account is not None
    assert account.balance == 0
    assert (account.received, account.used, account.held_out, account.without_target) == (96, 24, 48, 24)
    assert account.missing == {"x": 24, "y": 24}


def test_a_flagged_sensor_is_reported_and_left_out_where_the_federation_says_so(tmp_path: Path) -> None:
    answer = answer_of(made.federation(tmp_path, **STUCK), tmp_path, "s3")
    account = answer.account
    assert [(flag.flag, flag.sensor_id, flag.field) for flag in answer.flags] == [("stuck", "s3", "x")]
    assert account is not None
    assert (account.balance, account.used, account.left_out, answer.n_examples) == (0, 48, 48, 48)


def test_without_that_it_is_only_reported(tmp_path: Path) -> None:
    answer = answer_of(made.federation(tmp_path, fields=STUCK["fields"]), tmp_path, "s3")
    assert len(answer.flags) == 1
    assert answer.n_examples == 96


def test_with_nobody_left_the_fog_declines_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(PlanDeclined) as raised:
        answer_of(made.federation(tmp_path, **STUCK), tmp_path, "s1", "s3")
    assert raised.value.cause is Decline.LEFT_OUT
    assert "of 96 readings from" in str(raised.value)
    assert "(not kept: late 1, duplicate 1, not_json 2)" in str(raised.value)
    assert str(raised.value).endswith("96 are of sensors left out as stuck")


def test_a_plan_whose_rules_differ_is_declined(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"readings": {"leave_out": ["gap"]}}
    mine, theirs = made.federation(tmp_path), made.federation(tmp_path, **changes)
    answerer = Answerer(
        mine.specification(), "fog-a", made.store(mine, tmp_path), made.unused(mine, tmp_path), lambda weights: ZEROS
    )
    with pytest.raises(PlanDeclined, match="readings is not as in this fog's own file; make both the same"):
        answerer.answer(train_plan(theirs), ())
