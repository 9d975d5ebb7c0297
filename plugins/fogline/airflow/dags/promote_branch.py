"""Make a branch's head the next version of `main`, on record.

The fogs train from it and the subscribers follow; the round after it is for the interval that follows the branch's \
last one. `roll_back` undoes it.
"""

from airflow.sdk import DAG

from fogline.airflow.assets import models_of
from fogline.airflow.dags.settings import federation_dag
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import promote_form
from fogline.airflow.operators.branches import PromoteBranch
from fogline.dag_ids import PROMOTE_BRANCH


def build(source: FederationSource) -> DAG:
    """Return the DAG that promotes a branch."""
    federation = source.federation
    with federation_dag(
        PROMOTE_BRANCH,
        source,
        "Promote a branch to main",
        "branches",
        doc=__doc__,
        params=promote_form(source.branches),
    ) as dag:
        PromoteBranch(task_id="promote", federation_file=source.file, outlets=[models_of(federation.federation)])
    return dag
