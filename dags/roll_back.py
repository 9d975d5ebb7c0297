"""Move a head back to a version on the way to it, on record.

The intervals after that version are off the chain and can be trained again; version numbers go on growing, and what \
was trained stays in the ledger.
"""

from airflow.sdk import DAG

from fogline.airflow.assets import models_of
from fogline.airflow.dags import branches_of, dag_settings, sound_federations
from fogline.airflow.forms import roll_back_form
from fogline.airflow.operators.branches import RollBack
from fogline.dag_ids import ROLL_BACK, dag_id

for federation, file in sound_federations():
    with DAG(
        dag_id=dag_id(ROLL_BACK, federation.federation),
        description=f"Roll a head back: {federation.description}",
        doc_md=__doc__,
        schedule=None,
        params=roll_back_form(branches_of(federation)),
        **dag_settings(federation, "branches"),
    ) as dag:
        RollBack(task_id="roll_back", federation_file=file, outlets=[models_of(federation.federation)])
    globals()[dag.dag_id] = dag
