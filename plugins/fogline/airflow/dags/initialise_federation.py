"""Start a federation: every fog sends the statistics of its readings, and version 0 is made from them.

Version 0 holds the federated scaler (count, mean and spread of each feature and of the target, merged over the fogs) \
and seeded weights. It must be there before the first round. With a model present the run compares and publishes \
nothing.
"""

from airflow.sdk import DAG

from fogline.airflow.assets import models_of
from fogline.airflow.dags.settings import LONGEST_DEADLINE, federation_dag
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import initialise_form
from fogline.airflow.operators.initialise import AnnounceStatistics, CollectStatistics, PublishFirstModel
from fogline.dag_ids import INITIALISE


def build(source: FederationSource) -> DAG:
    """Return the DAG that makes version 0."""
    federation = source.federation
    with federation_dag(
        INITIALISE,
        source,
        "Scaler and first weights",
        "initialise",
        doc=__doc__,
        params=initialise_form(federation),
    ) as dag:
        announce = AnnounceStatistics(task_id="announce_statistics", federation_file=source.file)
        collect = CollectStatistics(task_id="collect_statistics", federation_file=source.file, timeout=LONGEST_DEADLINE)
        publish = PublishFirstModel(
            task_id="publish_first_model", federation_file=source.file, outlets=[models_of(federation.federation)]
        )
        announce >> collect >> publish
    return dag
