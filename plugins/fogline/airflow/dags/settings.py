"""Make a DAG with the settings that every DAG of a federation has."""

import datetime as dt
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from fogline.airflow.alerts import FailedRound, tell_of_late_round
from fogline.airflow.dags.sources import FederationSource
from fogline.dag_ids import dag_id
from fogline.federation import Federation

TASK_TIME = dt.timedelta(minutes=30)
# A sensor's own time-out only guards against a broken clock: the plan's deadline closes it before.
LONGEST_DEADLINE = dt.timedelta(days=1)


def federation_dag(kind: str, source: FederationSource, title: str, tag: str, *, doc: str | None, **own: Any) -> DAG:
    """Return a DAG of a federation or branch, with the settings that each has.

    Parameters
    ----------
    kind
        Begins its id; see `fogline.dag_ids`.
    title, doc
        What it does, in some words and in full.
    own
        Airflow's arguments for this DAG alone; without a ``schedule`` it runs by hand.
    """
    federation = source.federation
    settings: dict[str, Any] = {
        "schedule": None,
        "start_date": federation.start,
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["fogline", federation.federation, federation.branch, tag],
        "default_args": {
            "owner": federation.owner,
            "execution_timeout": TASK_TIME,
            # Kafka or the ledger may be away for a moment; what is permanent fails at once and is not retried.
            "retries": 3,
            "retry_delay": dt.timedelta(seconds=10),
            "retry_exponential_backoff": True,
            "max_retry_delay": dt.timedelta(minutes=2),
        },
    }
    return DAG(
        dag_id=dag_id(kind, federation.federation, federation.branch),
        description=f"{title}: {federation.description}",
        doc_md=doc,
        **{**settings, **own},
    )


def alerts_of(federation: Federation) -> dict[str, Any]:
    """Return the settings of a DAG whose failed and late runs somebody is told of; none when nobody asked for it."""
    alerts = federation.alerts
    if alerts is None:
        return {}
    whose = (federation.federation, federation.branch, alerts.connection)
    settings: dict[str, Any] = {"on_failure_callback": FailedRound(*whose)}
    if alerts.late_after_s is not None:
        names = ("federation", "branch", "connection_id")
        late = dict(zip(names, whose, strict=True)) | {"late_after_s": alerts.late_after_s}
        settings["deadline"] = DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=dt.timedelta(seconds=alerts.late_after_s),
            callback=AsyncCallback(tell_of_late_round, kwargs=late),
        )
    return settings


def sensor_time(deadline_s: float) -> dt.timedelta:
    """Return how long a sensor may take: its plan's deadline, and time to notice."""
    return dt.timedelta(seconds=deadline_s + 300)
