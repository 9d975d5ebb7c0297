"""One DAG run is one federated round over one interval of event time.

**announce_round** tells the fogs what to train: the interval, the base model, the members, the deadline. \
**collect_weights** waits for their weights and judges every answer. **aggregate_weights** merges the accepted ones on \
Spark. **evaluate_candidate** has the fogs score base and candidate on days that no training ever sees. \
**publish_global_model** commits the candidate as the branch's next version and sends it to Kafka.

Backfill the DAG to train through history, one round per interval, in order. A run by hand trains the first interval \
that has no model yet, or the one that the form names. Any task can be cleared: an interval that has a model is \
recomputed and compared, and nothing is published twice. If a task says that its plan is over, clear `announce_round` \
with everything after it.

Each branch of a federation has a DAG of its own: a backfill of it trains the branch beside `main`.
"""

import datetime as dt

from airflow.sdk import DAG

from fogline.airflow.assets import models_of
from fogline.airflow.dags.settings import alerts_of, federation_dag, sensor_time
from fogline.airflow.dags.sources import FederationSource
from fogline.airflow.forms import round_form
from fogline.airflow.operators.aggregate import aggregate_weights
from fogline.airflow.operators.announce_round import AnnounceRound
from fogline.airflow.operators.collect import CollectWeights
from fogline.airflow.operators.evaluate import EvaluateCandidate
from fogline.airflow.operators.publish import APPROVAL_TASK, ApproveCandidate, PublishGlobalModel
from fogline.airflow.timetable import FederationTimetable
from fogline.dag_ids import ROUND


def build(source: FederationSource) -> DAG:
    """Return the DAG that runs rounds of a branch."""
    federation = source.federation
    with federation_dag(
        ROUND,
        source,
        "A federated round",
        "round",
        doc=__doc__,
        schedule=FederationTimetable(federation.start, federation.interval, federation.schedule == "live"),
        params=round_form(federation),
        **alerts_of(federation),
    ) as dag:
        waits = sensor_time(federation.round.deadline_s)
        announce = AnnounceRound(
            task_id="announce_round",
            federation_file=source.file,
            # Another run may hold the branch until its deadlines are over.
            retries=10,
            max_retry_delay=dt.timedelta(minutes=5),
        )
        collect = CollectWeights(task_id="collect_weights", federation_file=source.file, timeout=waits)
        aggregate = aggregate_weights(federation, federation_file=source.file)
        evaluate = EvaluateCandidate(task_id="evaluate_candidate", federation_file=source.file, timeout=waits)
        publish = PublishGlobalModel(
            task_id="publish_global_model", federation_file=source.file, outlets=[models_of(federation.federation)]
        )
        announce >> collect >> aggregate >> evaluate >> publish
        if approval := federation.promotion.approval:
            approve = ApproveCandidate(task_id=APPROVAL_TASK, federation_file=source.file, approval=approval)
            evaluate >> approve >> publish
    return dag
