"""Move a head back to a version on the way to it, on record.

The intervals after that version are off the chain and can be trained again; version numbers go on growing, and what \
was trained stays in the ledger.
"""

from airflow.sdk import DAG

from fogline.airflow.assets import models_of
from fogline.airflow.dags.settings import dag_settings
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import roll_back_form
from fogline.airflow.operators.branches import RollBack
from fogline.dag_ids import ROLL_BACK, dag_id


def build(source: FederationSource) -> DAG:
    """Return the DAG that moves a head back."""
    federation = source.federation
    with DAG(
        dag_id=dag_id(ROLL_BACK, federation.federation),
        description=f"Roll a head back: {federation.description}",
        doc_md=__doc__,
        schedule=None,
        params=roll_back_form(source.branches),
        **dag_settings(federation, "branches"),
    ) as dag:
        RollBack(task_id="roll_back", federation_file=source.file, outlets=[models_of(federation.federation)])
    return dag
