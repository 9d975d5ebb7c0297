"""Runs that start in another order than their intervals: each waits, or refuses and names what is needed."""

import datetime as dt
from pathlib import Path

import pytest

from fogline.ledger.schema import Round
from fogline.rounds.errors import RoundBusy, RoundRefused
from fogline.rounds.intervals import interval_at
from fogline.steps.publish import publish_candidate
from tests.support.cloud import Cloud
from tests.support.federations import small_federation
from tests.support.rounds import RunsStandIn, aggregated, evaluate, initialise, open_round, whole_round


def at(cloud: Cloud, index: int) -> frozenset[dt.datetime]:
    return frozenset({interval_at(cloud.federation, index).start})


def open_rounds(cloud: Cloud) -> list[str]:
    with cloud.services.ledger.transaction() as session:
        return [row.dag_run_id for row in session.query(Round).filter(Round.is_open)]


def test_a_run_waits_for_the_interval_before_it_while_that_ones_run_is_under_way(cloud: Cloud) -> None:
    initialise(cloud)
    third = interval_at(cloud.federation, 2)
    with pytest.raises(RoundBusy, match=r"needs interval 0 .*its run is under way"):
        open_round(cloud, "r2", third, RunsStandIn(running=at(cloud, 0)))
    with pytest.raises(RoundRefused, match="interval 2 would leave a gap: main needs interval 0 "):
        open_round(cloud, "r2", third, RunsStandIn(queued=at(cloud, 0)))
    assert open_rounds(cloud) == []


def test_run_backwards_only_the_interval_that_is_due_gets_a_model(cloud: Cloud) -> None:
    initialise(cloud)
    for index in (2, 1):
        queued = RunsStandIn(queued=frozenset(interval_at(cloud.federation, n).start for n in range(index)))
        with pytest.raises(RoundRefused, match="main needs interval 0 "):
            open_round(cloud, f"r{index}", interval_at(cloud.federation, index), queued)
    assert whole_round(cloud, "r0", [1.0, 2.0], interval_at(cloud.federation, 0)).outcome == "committed"


def test_the_schedule_waits_for_a_backfill_and_else_leaves_out_what_was_never_announced(cloud: Cloud) -> None:
    initialise(cloud)
    newest = interval_at(cloud.federation, 9)
    with pytest.raises(RoundBusy, match="runs of intervals before 9 are under way or queued"):
        open_round(cloud, "live", newest, RunsStandIn(queued=at(cloud, 4)), is_live=True)
    opened = open_round(cloud, "live", newest, is_live=True)
    assert opened.choice.left_out == tuple(range(9))


def test_a_run_waits_while_another_holds_the_branch_and_goes_on_when_that_one_has_ended(cloud: Cloud) -> None:
    initialise(cloud)
    open_round(cloud, "r0")
    with pytest.raises(RoundBusy, match="main is held by run r0"):
        open_round(cloud, "r1")
    opened = open_round(cloud, "r1", None, RunsStandIn(ended=frozenset({"r0"})))
    assert opened.choice.interval.index == 1
    assert opened.ended_before == "run r0 (interval 0)"
    assert open_rounds(cloud) == ["r1"]


def test_a_skipped_interval_can_be_trained_by_its_own_run_until_the_head_has_passed_it(cloud: Cloud) -> None:
    initialise(cloud)
    open_round(cloud, "r0")
    open_round(cloud, "r1", None, RunsStandIn(ended=frozenset({"r0"})))
    again = open_round(cloud, "r0", None, RunsStandIn(ended=frozenset({"r1"})))
    assert again.choice.interval.index == 0


def test_once_the_head_has_passed_a_skipped_interval_its_run_is_refused(cloud: Cloud) -> None:
    initialise(cloud)
    open_round(cloud, "r0")
    r0_over = RunsStandIn(ended=frozenset({"r0"}))
    aggregated(cloud, "r1", [1.0, 2.0], others=r0_over)
    evaluate(cloud, "r1")
    assert publish_candidate(cloud.services, cloud.federation, "r1").outcome == "committed"
    with pytest.raises(RoundRefused, match=r"main is at interval 1 .*; interval 0 is before it"):
        open_round(cloud, "r0")


def test_a_setting_that_must_last_stops_the_round_with_both_values(cloud: Cloud, tmp_path: Path) -> None:
    initialise(cloud)
    cloud.federation = small_federation(tmp_path, name=cloud.federation.federation, seed=9)
    with pytest.raises(RoundRefused, match="seed is 9 in the federation's file, main@0 was made with 0"):
        open_round(cloud, "r0")
