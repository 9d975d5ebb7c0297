"""Begin a branch of the federation: another chain of models, from any version on, with some settings of its own.

The run writes the branch's file beside the federation's. A moment later its DAG of rounds is there: backfill that to \
train the branch. `main` is not touched.
"""

from airflow.sdk import DAG

from fogline.airflow.dags.settings import federation_dag
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import new_branch_form
from fogline.airflow.operators.branches import BeginBranch
from fogline.dag_ids import NEW_BRANCH


def build(source: FederationSource) -> DAG:
    """Return the DAG that begins branches."""
    federation = source.federation
    with federation_dag(
        NEW_BRANCH,
        source,
        "Begin a branch",
        "branches",
        doc=__doc__,
        params=new_branch_form(list(federation.fogs)),
    ) as dag:
        BeginBranch(task_id="write_branch_file", federation_file=source.file)
    return dag
