"""kill -9 at every kind of step: each round recovers by itself, and the chain is that of an undisturbed run."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from producer.sources.la_haute_borne import ensure_readings
from tests.support.crashes import Armory, Crash, armed_environment, round_with, subset
from tests.support.farm import Farm
from tests.support.in_process import undisturbed_digests
from tests.support.stacks import JANUARY_READINGS, fresh_stack, january_federation

pytestmark = pytest.mark.timeout(900)
CRASHES = subset()


@pytest.fixture(scope="module")
def armory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Armory]:
    with armed_environment(tmp_path_factory.mktemp("killpoints")) as armory:
        yield armory


@pytest.fixture(scope="module")
def farm(armory: Armory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """The wind farm on a stack of its own, whose processes watch the kill points."""
    federations = january_federation(tmp_path_factory.mktemp("federations"))
    with fresh_stack(federations=federations, producer_source=JANUARY_READINGS) as stack:
        stack.up()
        farm = Farm(stack)
        farm.replay()
        farm.initialise()
        farm.runs.unpause(farm.dag_id)
        yield farm


@pytest.mark.parametrize("crash", CRASHES, ids=str)
def test_a_round_recovers_by_itself(farm: Farm, armory: Armory, crash: Crash) -> None:
    before = len(farm.chain())
    recovery = round_with(farm, armory, crash)
    assert recovery.state == "success", farm.runs.require_success(farm.dag_id, recovery.run_id)
    assert len(farm.chain()) == before + 1


def test_the_chain_is_that_of_an_undisturbed_run_to_the_byte(farm: Farm, tmp_path: Path) -> None:
    chain = farm.chain()
    assert [row.interval_index for row in chain] == [None, *range(len(CRASHES))]
    readings = pq.read_table(ensure_readings(farm.stack.settings.tools / "cache"))
    undisturbed = undisturbed_digests(farm.federation, readings, len(CRASHES), tmp_path)
    assert [row.digest for row in chain] == undisturbed
