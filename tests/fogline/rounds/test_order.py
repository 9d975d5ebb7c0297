import datetime as dt
from pathlib import Path

import pytest

from fogline.federation import Federation
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import interval_at
from fogline.rounds.order import ChainLink, choose, requested_interval
from tests.support.federations import small_federation

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
FIRST = [ChainLink(0, None)]
CHAIN = [ChainLink(0, None), ChainLink(1, 0), ChainLink(2, 1), ChainLink(3, 4)]


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return small_federation(tmp_path)


def test_the_first_round_starts_from_version_zero(federation: Federation) -> None:
    choice = choose(federation, FIRST, (), None, NOW)
    assert (choice.interval.index, choice.base_version, choice.is_on_chain) == (0, 0, False)


def test_the_next_interval_follows_the_head_over_the_ended_ones(federation: Federation) -> None:
    assert choose(federation, CHAIN, (), None, NOW).interval.index == 5
    assert choose(federation, CHAIN, {5, 6}, None, NOW).interval.index == 7
    again = choose(federation, CHAIN, {5, 6}, interval_at(federation, 6), NOW)
    assert (again.interval.index, again.base_version) == (6, 3)


def test_an_interval_on_the_chain_is_recomputed_on_its_historical_base(federation: Federation) -> None:
    choice = choose(federation, CHAIN, (), interval_at(federation, 4), NOW)
    assert (choice.base_version, choice.is_on_chain) == (2, True)


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
    assert requested_interval(federation, manual_start=None, run_start=None) is None
    wanted = dt.datetime(2024, 1, 3, tzinfo=dt.UTC)
    chosen = requested_interval(federation, manual_start=wanted, run_start=None)
    assert chosen is not None and chosen.index == 2


def test_a_live_run_may_leave_out_intervals_that_were_never_announced(federation: Federation) -> None:
    choice = choose(federation, CHAIN, (), interval_at(federation, 9), NOW, is_live=True)
    assert (choice.interval.index, choice.base_version) == (9, 3)
    with pytest.raises(RoundRefused, match="has no model on the chain"):
        choose(federation, CHAIN, (), interval_at(federation, 2), NOW, is_live=True)
