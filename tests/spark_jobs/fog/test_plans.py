"""Which plan is answered when."""

import datetime as dt
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from fogline.federation import Federation
from fogline.messages.plan import Plan
from spark_jobs.fog.plans import Due, PlanBoard, behind
from spark_jobs.fog.state import Progress
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import at, span
from tests.support.plans import train_plan

SENSORS = ("s1", "s3")
APPENDED_S = 1000.0


@pytest.fixture
def own(tmp_path: Path) -> Federation:
    return made.federation(tmp_path)


def plan(own: Federation, number: int = 1, **changes: Any) -> Plan:
    timing = {"window": span(0, 2), "deadline_s": 100.0, "train_by_share": 0.5}
    return train_plan(own, **{**timing, "plan_id": f"small/main/{number}", **changes})


def progress(s1: float | None, s3: float | None, silent: Collection[str] = ()) -> Progress:
    newest: dict[str, dt.datetime] = {sensor: at(day) for sensor, day in (("s1", s1), ("s3", s3)) if day is not None}
    return Progress(newest, frozenset(silent))


def due(board: PlanBoard, known: Progress, now_s: float, answered: Collection[str] = ()) -> Due:
    return board.due(known, now_s, lambda plan_id: plan_id in answered)


def board_of(*plans: Plan) -> PlanBoard:
    board = PlanBoard("fog-a", SENSORS)
    for one in plans:
        board.add(one, APPENDED_S)
    return board


def test_a_plan_is_due_when_every_sensor_has_passed_its_window(own: Federation) -> None:
    board = board_of(plan(own))
    assert due(board, progress(2.0, 1.9), APPENDED_S + 1) == Due(None, 49.0)
    found = due(board, progress(2.0, 2.0), APPENDED_S + 1)
    assert found.announced is not None
    assert found.announced.plan == plan(own)


def test_an_older_plan_that_arrives_late_does_not_replace_the_newer_one(own: Federation) -> None:
    board = board_of(plan(own, 7), plan(own, 6))
    found = due(board, progress(2.0, 2.0), APPENDED_S + 1)
    assert found.announced is not None and found.announced.plan == plan(own, 7)
    assert due(board, progress(2.0, 2.0), APPENDED_S + 1, {"small/main/7"}).announced is None


def test_a_sensor_that_never_reported_is_waited_for_until_train_by(own: Federation) -> None:
    board = board_of(plan(own))
    assert due(board, progress(2.0, None), APPENDED_S + 49).announced is None
    assert due(board, progress(2.0, None), APPENDED_S + 50).announced is not None


def test_a_sensor_known_to_be_silent_is_not_waited_for(own: Federation) -> None:
    assert due(board_of(plan(own)), progress(2.0, 1.0, silent={"s3"}), APPENDED_S).announced is not None
    assert due(board_of(plan(own)), progress(1.0, 1.0, silent={"s3"}), APPENDED_S).announced is None


def test_an_answered_plan_and_one_past_its_deadline_are_not_due(own: Federation) -> None:
    assert due(board_of(plan(own)), progress(2, 2), APPENDED_S, answered={"small/main/1"}) == Due(None, None)
    assert due(board_of(plan(own)), progress(2, 2), APPENDED_S + 100) == Due(None, None)


def test_a_plan_supersedes_the_older_one_of_its_purpose_alone(own: Federation) -> None:
    board = board_of(plan(own, 1), plan(own, 2, purpose="evaluation/x"), plan(own, 3))
    first = due(board, progress(2, 2), APPENDED_S)
    second = due(board, progress(2, 2), APPENDED_S, answered={"small/main/2"})
    assert [found.announced and found.announced.plan.plan_id for found in (first, second)] == [
        "small/main/2",
        "small/main/3",
    ]


def test_a_plan_for_others_supersedes_too_but_is_never_due(own: Federation) -> None:
    assert due(board_of(plan(own, 1), plan(own, 2, members=("fog-b",))), progress(2, 2), APPENDED_S) == Due(None, None)


def test_the_wait_is_that_of_the_plan_that_is_due_first(own: Federation) -> None:
    board = board_of(plan(own, 1), plan(own, 2, purpose="evaluation/x", deadline_s=20.0))
    assert due(board, progress(1, 1), APPENDED_S + 4).wait_s == 6.0


def test_behind_names_sensors_in_order() -> None:
    assert behind(SENSORS, progress(1.0, None), at(2)) == ("s1", "s3")
    assert behind(SENSORS, progress(2.0, 1.0), at(2)) == ("s3",)
