"""Have the fogs score a version of the global model over any window of event time.

Each fog scores its own readings and sends sums of errors, never a reading; the log of `collect_scores` shows RMSE and \
R² per fog and for all fogs together.
"""

from airflow.sdk import DAG

from fogline.airflow.dags.settings import LONGEST_DEADLINE, federation_dag
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import evaluation_form
from fogline.airflow.operators.evaluate import AnnounceEvaluation, CollectScores
from fogline.dag_ids import EVALUATE


def build(source: FederationSource) -> DAG:
    """Return the DAG that scores a version."""
    federation = source.federation
    with federation_dag(
        EVALUATE,
        source,
        "Score a model",
        "evaluation",
        doc=__doc__,
        params=evaluation_form(federation),
    ) as dag:
        announce = AnnounceEvaluation(task_id="announce_evaluation", federation_file=source.file)
        collect = CollectScores(task_id="collect_scores", federation_file=source.file, timeout=LONGEST_DEADLINE)
        announce >> collect
    return dag
