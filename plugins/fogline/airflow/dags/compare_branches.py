"""Compare two branches by interval: the error of each one's own versions on held-out days.

The error is summed over the fogs that both branches scored. The log has the table; the picture lies in the model \
store, at the path that the log and the XCom give.
"""

from airflow.sdk import DAG

from fogline.airflow.dags.settings import federation_dag
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import compare_form
from fogline.airflow.operators.branches import CompareBranches
from fogline.dag_ids import COMPARE_BRANCHES


def build(source: FederationSource) -> DAG:
    """Return the DAG that compares two branches."""
    with federation_dag(
        COMPARE_BRANCHES,
        source,
        "Compare two branches",
        "branches",
        doc=__doc__,
        params=compare_form(source.branches),
    ) as dag:
        CompareBranches(task_id="compare_branches", federation_file=source.file)
    return dag
