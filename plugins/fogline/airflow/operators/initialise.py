"""Start a federation: statistics from every fog, then version 0."""

from typing import Any

from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.lineage import MODEL
from fogline.airflow.operators.collect import CollectAnswers
from fogline.airflow.operators.publish import tell
from fogline.airflow.operators.task import FederationOperator, describe, log_lines, run_id_of
from fogline.federation.settings import Federation
from fogline.kafka.topics import GLOBAL_MODEL, ROUND_PLANS
from fogline.messages.plan import EventTimeSpan
from fogline.messages.seal import Seal
from fogline.rounds.judge import PlanState
from fogline.rounds.tables import text_table
from fogline.steps.aggregate import sealed_plan
from fogline.steps.initialise import commit_first_model, merged_moments
from fogline.steps.measure import announce_statistics, statistics_key
from fogline.steps.services import Services


class AnnounceStatistics(FederationOperator):
    """Ask every fog for the moments of features and target over the form's window."""

    ui_color = "#cfe8f3"
    writes = (ROUND_PLANS,)

    def execute(self, context: Any) -> str:
        """Announce the plan."""
        form = context["params"]
        window = EventTimeSpan(start=form["window_start"], end=form["window_end"])
        with airflow_failures():
            state = announce_statistics(
                open_services(), self.federation, run_id_of(context), window, form["deadline_s"]
            )
        log_lines(self.log, describe(state.plan))
        return state.plan.plan_id


class CollectStatistics(CollectAnswers):
    """Collect the fogs' statistics and show them merged."""

    def plan_of(self, services: Services, federation: Federation, dag_run_id: str) -> PlanState:
        """Return the run's statistics plan."""
        return self.announced(services, statistics_key(federation), dag_run_id, "announce_statistics")

    def on_sealed(self, services: Services, federation: Federation, dag_run_id: str, seal: Seal) -> None:
        """Show the merged statistics."""
        rows = [(name, m.n, m.n_missing, m.mean, m.sd) for name, m in merged_moments(seal).items()]
        log_lines(self.log, text_table("All fogs together", ("column", "n", "missing", "mean", "sd"), rows))


class PublishFirstModel(FederationOperator):
    """Commit version 0: the scaler and seeded weights."""

    ui_color = "#fce5cd"
    writes = (MODEL, GLOBAL_MODEL)

    def execute(self, context: Any) -> dict[str, Any]:
        """Publish version 0, or compare with the one that is there."""
        services, federation, dag_run_id = open_services(), self.federation, run_id_of(context)
        with airflow_failures():
            seal = sealed_plan(services, statistics_key(federation), dag_run_id, "collect_statistics")
            publication = commit_first_model(services, federation, dag_run_id, seal)
        return tell(self, publication, context)
