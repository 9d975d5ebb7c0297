"""Keep the history of the global models in Cassandra or MongoDB: versions, scores, head moves and weights.

It runs when a branch has a new model and writes all that the ledger has and the store lacks. The store is the \
connection `fogline_history`: type `cassandra` or `mongo`, host, port, schema (the keyspace or database), login, \
password. Without one leave this DAG paused. Unpause it and run it once by hand to write what is there already. A \
store that was down catches up with the next run; rounds never wait for it.
"""

import datetime as dt

from airflow.sdk import DAG, AssetAny

from fogline.airflow.assets import model_asset
from fogline.airflow.dags.settings import federation_dag
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.operators.history import CatchUpHistory
from fogline.dag_ids import RECORD_HISTORY


def build(source: FederationSource) -> DAG:
    """Return the DAG that keeps the models' history."""
    federation = source.federation
    with federation_dag(
        RECORD_HISTORY,
        source,
        "Keep the models' history",
        "history",
        doc=__doc__,
        schedule=AssetAny(*(model_asset(federation.federation, branch) for branch in source.branches)),
    ) as dag:
        # The store may be restarting: about half an hour until the run is given up.
        CatchUpHistory(
            task_id="catch_up", federation_file=source.file, retries=8, max_retry_delay=dt.timedelta(minutes=10)
        )
    return dag
