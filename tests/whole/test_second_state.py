"""The same rounds on a fresh state, with the other engine, give the same bytes."""

from pathlib import Path

import pytest

from fogline.federation import load_federation
from tests.support.farm import Farm
from tests.support.stacks import JANUARY_READINGS, fresh_stack, january_federation

N_ROUNDS = 3


@pytest.mark.last
@pytest.mark.timeout(900)
def test_three_rounds_on_a_second_fresh_state_have_the_same_digests(farm: Farm, tmp_path: Path) -> None:
    if len(farm.chain()) <= N_ROUNDS:
        farm.backfill(0, N_ROUNDS - 1)
    first = [row.digest for row in farm.chain()[: N_ROUNDS + 1]]
    # One stack at a time on two cores; this test is the session's last.
    farm.stack.down()
    folder = january_federation(tmp_path, aggregation="spark-connect")
    assert load_federation(folder / "wind_farm.yaml").aggregation == "spark-connect" != farm.federation.aggregation
    with fresh_stack(federations=folder, producer_source=JANUARY_READINGS) as stack:
        stack.up()
        again = Farm(stack)
        again.replay()
        again.initialise()
        again.backfill(0, N_ROUNDS - 1)
        assert [row.digest for row in again.chain()] == first
