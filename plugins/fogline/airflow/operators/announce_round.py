"""Open a round and announce its plan."""

import datetime as dt
from typing import Any

from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.operators.task import FederationOperator, describe, log_lines, run_id_of
from fogline.messages.plan import Interval
from fogline.rounds.order import requested_interval
from fogline.steps.train import announce_round


class AnnounceRound(FederationOperator):
    """Choose the interval, take the branch's lock and announce the training plan.

    A scheduled or backfilled run trains its data interval. A manual run trains the form's interval, else the first
    untrained one; its logical date means nothing, because the UI fills in the present moment.
    """

    ui_color = "#cfe8f3"

    def execute(self, context: Any) -> dict[str, Any]:
        """Announce the round; the XCom says what was announced."""
        with airflow_failures():
            opened = announce_round(
                open_services(),
                self.federation,
                run_id_of(context),
                self._requested(context),
                lambda run_id: _has_failed(context, run_id),
                is_live=context["dag_run"].run_type == "scheduled",
            )
        plan, choice = opened.state.plan, opened.choice
        base = f"{plan.branch}@{choice.base_version}"
        self.log.info("Round for interval %d (%s) on %s", choice.interval.index, choice.interval, base)
        if opened.ended_before:
            self.log.warning(
                "The open round of %s was ended as skipped: that run failed or ran out", opened.ended_before
            )
        if choice.is_on_chain:
            self.log.info("This interval has a model already: the round recomputes and compares, and publishes nothing")
        log_lines(self.log, describe(plan))
        return {"plan_id": plan.plan_id, "interval": choice.interval.model_dump(mode="json"), "base": base}

    def _requested(self, context: Any) -> Interval | None:
        dag_run = context["dag_run"]
        is_manual = dag_run.run_type == "manual"
        form = context["params"].get("interval_start") if is_manual else None
        manual_start = dt.datetime.fromisoformat(form) if form else None
        if manual_start is not None and manual_start.tzinfo is None:
            manual_start = manual_start.replace(tzinfo=dt.UTC)
        run_start = None if is_manual else dag_run.data_interval_start
        return requested_interval(self.federation, manual_start=manual_start, run_start=run_start)


def _has_failed(context: Any, run_id: str) -> bool:
    state = context["ti"].get_dagrun_state(dag_id=context["dag"].dag_id, run_id=run_id)
    return state is None or state == "failed"
