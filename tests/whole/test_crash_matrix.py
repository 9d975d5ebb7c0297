"""kill -9 at every kind of step: each round recovers by itself, and the chain is that of an undisturbed run."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from producer.sources.la_haute_borne import ensure_readings
from tests.support.crashes import Armory, Crash, round_with, subset
from tests.support.farm import Farm
from tests.support.in_process import undisturbed_digests

pytestmark = pytest.mark.timeout(900)
CRASHES = subset()


@pytest.fixture(scope="module")
def branch(farm: Farm) -> Farm:
    """A branch of its own that begins at version 0, so that the chain can be compared whole."""
    return farm.on_branch("crashes", {"from": "main@0"})


@pytest.mark.parametrize("crash", CRASHES, ids=str)
def test_a_round_recovers_by_itself(branch: Farm, armory: Armory, crash: Crash) -> None:
    # Before its first round a branch has no head.
    before = max(len(branch.chain()), 1)
    recovery = round_with(branch, armory, crash)
    if recovery.state != "success":
        branch.runs.require_success(branch.dag_id, recovery.run_id)
    assert len(branch.chain()) == before + 1


def test_the_chain_is_that_of_an_undisturbed_run_to_the_byte(branch: Farm, tmp_path: Path) -> None:
    chain = branch.chain()
    assert [row.interval_index for row in chain] == [None, *range(len(CRASHES))]
    readings = pq.read_table(ensure_readings(branch.stack.settings.tools / "cache"))
    undisturbed = undisturbed_digests(branch.federation, readings, len(CRASHES), tmp_path)
    assert [row.digest for row in chain] == undisturbed
