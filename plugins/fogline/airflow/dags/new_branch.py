"""Begin a branch of the federation: another chain of models, from any version on, with some settings of its own.

The run writes the branch's file beside the federation's. A moment later its DAG of rounds is there: backfill that to \
train the branch. `main` is not touched.
"""

from airflow.sdk import DAG

from fogline.airflow.dags.settings import dag_settings
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import new_branch_form
from fogline.airflow.operators.branches import BeginBranch
from fogline.dag_ids import NEW_BRANCH, dag_id


def build(source: FederationSource) -> DAG:
    """Return the DAG that begins branches."""
    federation = source.federation
    with DAG(
        dag_id=dag_id(NEW_BRANCH, federation.federation),
        description=f"Begin a branch: {federation.description}",
        doc_md=__doc__,
        schedule=None,
        params=new_branch_form(list(federation.fogs)),
        **dag_settings(federation, "branches"),
    ) as dag:
        BeginBranch(task_id="write_branch_file", federation_file=source.file)
    return dag
