import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fogline.federation import Federation
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import interval_at
from fogline.rounds.order import ChainLink, OutOfOrder, choose, requested_interval
from fogline.versions import Version
from tests.support.federations import small_federation

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
FIRST = [ChainLink(Version("main", 0), None, "main")]
CHAIN = [*FIRST, *(ChainLink(Version("main", n), index, "main") for n, index in ((1, 0), (2, 1), (3, 4)))]


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return small_federation(tmp_path)


def test_the_first_round_starts_from_version_zero(federation: Federation) -> None:
    choice = choose(federation, FIRST, (), None, NOW)
    assert (choice.interval.index, str(choice.base), choice.is_on_chain) == (0, "main@0", False)


def test_the_next_interval_follows_the_head_over_the_ended_ones(federation: Federation) -> None:
    assert choose(federation, CHAIN, (), None, NOW).interval.index == 5
    assert choose(federation, CHAIN, {5, 6}, None, NOW).interval.index == 7
    again = choose(federation, CHAIN, {5, 6}, interval_at(federation, 6), NOW)
    assert (again.interval.index, str(again.base)) == (6, "main@3")


def test_an_interval_on_the_chain_is_recomputed_on_its_historical_base(federation: Federation) -> None:
    choice = choose(federation, CHAIN, (), interval_at(federation, 4), NOW)
    assert (str(choice.base), choice.is_on_chain) == ("main@2", True)


def test_an_interval_that_another_branch_trained_is_recomputed_there(federation: Federation) -> None:
    branch = federation.model_copy(update={"branch": "other"})
    with pytest.raises(RoundRefused, match=r"interval 4 .* of other was trained on main; recompute it there"):
        choose(branch, CHAIN, (), interval_at(federation, 4), NOW)


def test_a_gap_names_the_interval_needed(federation: Federation) -> None:
    with pytest.raises(OutOfOrder) as raised:
        choose(federation, CHAIN, {5}, interval_at(federation, 8), NOW)
    assert raised.value.needed.index == 6


@pytest.mark.parametrize(
    ("index", "says"),
    [(2, "main is at interval 4 .* has no model on the chain"), (7, "main needs interval 5 .* first")],
)
def test_out_of_order_is_refused_and_names_the_interval_needed(federation: Federation, index: int, says: str) -> None:
    with pytest.raises(RoundRefused, match=says):
        choose(federation, CHAIN, (), interval_at(federation, index), NOW)


def test_without_a_model_the_remedy_is_named(federation: Federation) -> None:
    with pytest.raises(RoundRefused, match="run the DAG initialise_federation__small"):
        choose(federation, [], (), None, NOW)


def test_an_interval_that_is_not_over_is_refused(federation: Federation) -> None:
    with pytest.raises(RoundRefused, match="is not over yet"):
        choose(federation, FIRST, (), None, federation.start + dt.timedelta(hours=23))


def test_a_manual_run_without_a_choice_asks_for_nothing(federation: Federation) -> None:
    assert requested_interval(federation, manual_start=None, run_start=None, run_end=None) is None
    wanted = dt.datetime(2024, 1, 3, tzinfo=dt.UTC)
    chosen = requested_interval(federation, manual_start=wanted, run_start=None, run_end=None)
    assert chosen is not None and chosen.index == 2


@pytest.mark.parametrize(
    ("start", "hours", "says"),
    [
        ("2024-01-03T00:00+00:00", 0, "data interval of 0:00:00 from 2024-01-03 00:00 UTC is not one"),
        ("2024-01-03T00:00+00:00", 48, "are 1 day, 0:00:00 long; the interval that begins there is 2024-01-03"),
        ("2024-01-03T05:00+00:00", 24, "2024-01-03 05:00 UTC is not on the federation's grid"),
        ("2023-12-31T00:00+00:00", 24, "is before the federation's start"),
    ],
)
def test_a_data_interval_off_the_grid_is_refused(federation: Federation, start: str, hours: int, says: str) -> None:
    begins = dt.datetime.fromisoformat(start)
    with pytest.raises(RoundRefused, match=says):
        requested_interval(federation, manual_start=None, run_start=begins, run_end=begins + dt.timedelta(hours=hours))


def test_a_zone_with_daylight_saving_names_the_same_instant(federation: Federation) -> None:
    summer = federation.model_copy(update={"start": dt.datetime(2024, 3, 31, tzinfo=dt.UTC)})
    begins = dt.datetime(2024, 4, 1, 2, tzinfo=ZoneInfo("Europe/Paris"))
    chosen = requested_interval(summer, manual_start=None, run_start=begins, run_end=begins + dt.timedelta(days=1))
    assert chosen is not None and (chosen.index, chosen.start) == (1, dt.datetime(2024, 4, 1, tzinfo=dt.UTC))


def test_a_live_run_may_leave_out_intervals_that_were_never_announced(federation: Federation) -> None:
    choice = choose(federation, CHAIN, (), interval_at(federation, 9), NOW, is_live=True)
    assert (choice.interval.index, str(choice.base), choice.left_out) == (9, "main@3", (5, 6, 7, 8))
    with pytest.raises(RoundRefused, match="has no model on the chain"):
        choose(federation, CHAIN, (), interval_at(federation, 2), NOW, is_live=True)
