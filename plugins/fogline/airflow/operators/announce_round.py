"""Open a round and announce its plan."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.lineage import MODEL
from fogline.airflow.operators.task import FederationOperator, describe, log_lines, run_id_of
from fogline.airflow.pages.link import RoundPageLink
from fogline.kafka.topics import MODEL_BLOBS, ROUND_PLANS
from fogline.rounds.errors import RoundBusy
from fogline.rounds.order import requested_interval
from fogline.steps.train import OpenRound, RunRequest, announce_round

ENDED_STATES = ("success", "failed")
# Two rounds of the usual length; a worker is held meanwhile.
BUSY_S = 8.0
LOOK_EVERY_S = 0.5


class AnnounceRound(FederationOperator):
    """Choose the interval, take the branch's lock and announce the training plan.

    A scheduled or backfilled run trains its data interval. A manual run trains the form's interval, else the first
    untrained one; its logical date means nothing, because the UI fills in the present moment.
    """

    ui_color = "#cfe8f3"
    reads, writes = (MODEL,), (MODEL_BLOBS, ROUND_PLANS)
    operator_extra_links = (RoundPageLink(),)

    def execute(self, context: Any) -> dict[str, Any]:
        """Announce the round; the XCom says what was announced."""
        with airflow_failures():
            others = RunsOfDag(context["ti"], context["dag"].dag_id)
            # A round lasts seconds: its successor takes over at once, and only a long wait is a new try of the task.
            opened = self._patiently(announce_round, open_services(), self.federation, self._request(context), others)
        plan, choice = opened.state.plan, opened.choice
        self.log.info("Round for interval %d (%s) on %s", choice.interval.index, choice.interval, choice.base)
        if opened.ended_before:
            self.log.warning(
                "The open round of %s was ended as skipped: that run failed or ran out", opened.ended_before
            )
        if choice.is_on_chain:
            self.log.info("This interval has a model already: the round recomputes and compares, and publishes nothing")
        log_lines(self.log, describe(plan))
        return {"plan_id": plan.plan_id, "interval": choice.interval.model_dump(mode="json"), "base": str(choice.base)}

    def _patiently(self, announce: Callable[..., OpenRound], *arguments: Any) -> OpenRound:
        tries = Retrying(
            retry=retry_if_exception_type(RoundBusy),
            wait=wait_fixed(LOOK_EVERY_S),
            stop=stop_after_delay(BUSY_S),
            before_sleep=self._say_once,
            reraise=True,
        )
        opened: OpenRound = tries(announce, *arguments)
        return opened

    def _say_once(self, tries: RetryCallState) -> None:
        if tries.attempt_number == 1 and tries.outcome is not None:
            self.log.info("Waiting for up to %g s: %s", BUSY_S, tries.outcome.exception())

    def _request(self, context: Any) -> RunRequest:
        dag_run = context["dag_run"]
        # A run by hand, by an asset or by another DAG has no data interval that means anything.
        has_interval = dag_run.run_type in ("scheduled", "backfill")
        form = None if has_interval else context["params"].get("interval_start")
        manual_start = dt.datetime.fromisoformat(form) if form else None
        if manual_start is not None and manual_start.tzinfo is None:
            manual_start = manual_start.replace(tzinfo=dt.UTC)
        interval = requested_interval(
            self.federation,
            manual_start=manual_start,
            run_start=dag_run.data_interval_start if has_interval else None,
            run_end=dag_run.data_interval_end if has_interval else None,
        )
        return RunRequest(run_id_of(context), interval, is_live=dag_run.run_type == "scheduled")


class RunsOfDag:
    """The other runs of a DAG, asked of Airflow through the running task."""

    def __init__(self, task_instance: Any, dag_id: str) -> None:
        self._task_instance, self._dag_id = task_instance, dag_id

    def has_ended(self, dag_run_id: str) -> bool:
        """Tell whether a run is over; one that was deleted is."""
        state = self._task_instance.get_dagrun_state(dag_id=self._dag_id, run_id=dag_run_id)
        return state is None or state in ENDED_STATES

    def is_running(self, interval_start: dt.datetime) -> bool:
        """Tell whether the run of an interval is under way."""
        return self._count([interval_start], ["running"])

    def is_coming(self, interval_starts: list[dt.datetime]) -> bool:
        """Tell whether the run of one of some intervals is under way or queued."""
        return self._count(interval_starts, ["running", "queued"])

    def _count(self, interval_starts: list[dt.datetime], states: list[str]) -> bool:
        found = self._task_instance.get_dr_count(dag_id=self._dag_id, logical_dates=interval_starts, states=states)
        return bool(found)
