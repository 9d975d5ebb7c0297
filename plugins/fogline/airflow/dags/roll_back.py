"""Move a head back to a version on the way to it, on record.

The intervals after that version are off the chain and can be trained again; version numbers go on growing, and what \
was trained stays in the ledger.
"""

from airflow.sdk import DAG

from fogline.airflow.assets import models_of
from fogline.airflow.dags.settings import federation_dag
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import roll_back_form
from fogline.airflow.operators.branches import RollBack
from fogline.dag_ids import ROLL_BACK


def build(source: FederationSource) -> DAG:
    """Return the DAG that moves a head back."""
    federation = source.federation
    with federation_dag(
        ROLL_BACK,
        source,
        "Roll a head back",
        "branches",
        doc=__doc__,
        params=roll_back_form(source.branches),
    ) as dag:
        RollBack(task_id="roll_back", federation_file=source.file, outlets=[models_of(federation.federation)])
    return dag
