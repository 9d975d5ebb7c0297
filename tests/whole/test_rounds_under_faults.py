"""Servers restarted between rounds: nothing is lost, and the next round is right. Crashes have a matrix of their own."""

import pytest

from tests.support.farm import ROUNDS, Farm

pytestmark = pytest.mark.timeout(600)


def next_run(farm: Farm) -> tuple[int, str]:
    """Start the next round by hand; return its interval and run."""
    head = farm.chain()[-1].interval_index
    farm.runs.unpause(ROUNDS)
    return (0 if head is None else head + 1), farm.runs.trigger(ROUNDS)


def test_a_restart_of_postgres_loses_nothing(farm: Farm) -> None:
    before = [(row.version, row.digest) for row in farm.chain()]
    farm.stack.supervisor.stop_program("postgres")
    farm.stack.start_servers("postgres")
    index, run = next_run(farm)
    farm.wait(ROUNDS, run)
    assert [(row.version, row.digest) for row in farm.chain()[:-1]] == before
    assert farm.chain()[-1].interval_index == index
