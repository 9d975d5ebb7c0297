"""The models' history in a real Cassandra, kept by a DAG that runs on each new model."""

import pytest
from sqlalchemy import select

from fogline.dag_ids import RECORD_HISTORY, dag_id
from fogline.history.address import from_uri
from fogline.history.stores import open_history
from fogline.ledger.schema import ModelRow
from fogline.stack.waiting import wait_until
from tests.support.farm import DEADLINE_S, NAME, Farm

pytestmark = pytest.mark.timeout(600)
HISTORY_DAG = dag_id(RECORD_HISTORY, NAME)
BRANCH = {"from": "main@0", "aggregation": "spark-connect"}


def test_a_run_by_hand_backfills_and_each_new_model_follows_by_itself(farm: Farm, cassandra: str) -> None:
    branch = farm.on_branch("kept", BRANCH)
    address = from_uri(cassandra)
    farm.connect({"connection_id": "fogline_history", **address.connection(), "extra": None})
    farm.runs.unpause(HISTORY_DAG)
    farm.wait(HISTORY_DAG, farm.runs.trigger(HISTORY_DAG))
    with open_history(address) as history:
        held = history.held(NAME, "main")
        with farm.ledger.transaction() as session:
            rows = session.scalars(select(ModelRow).filter_by(federation=NAME, branch="main"))
            # Also those that a rollback took off the chain.
            assert held == {row.version: row.digest for row in rows} and held

        def follows_the_branch() -> bool:
            found = farm.api.request("GET", "/api/v2/assets", params={"dag_ids": HISTORY_DAG}).raise_for_status()
            return f"fogline://{NAME}/kept" in {asset["uri"] for asset in found.json()["assets"]}

        wait_until(follows_the_branch, what="the schedule on the new branch's asset", deadline_s=DEADLINE_S, every_s=1)
        branch.wait(branch.dag_id, branch.runs.trigger(branch.dag_id))
        head = branch.chain()[-1]
        wait_until(
            lambda: history.held(NAME, "kept").get(head.version) == head.digest,
            what="the branch's model in Cassandra",
            deadline_s=DEADLINE_S,
            every_s=1,
        )
