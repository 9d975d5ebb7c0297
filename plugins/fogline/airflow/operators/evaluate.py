"""Have the fogs score models: a round's candidate, or any version over any window."""

from typing import Any

from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.lineage import CANDIDATE, MODEL
from fogline.airflow.operators.collect import CollectAnswers
from fogline.airflow.operators.task import FederationOperator, describe, log_lines, run_id_of
from fogline.airflow.pages.link import CandidateLink, RoundPageLink
from fogline.federation.settings import Federation
from fogline.kafka.topics import MODEL_BLOBS, MODEL_UPDATES, ROUND_PLANS
from fogline.messages.plan import EventTimeSpan
from fogline.messages.seal import Seal
from fogline.rounds.judge import PlanState
from fogline.rounds.tables import scores_table
from fogline.steps.measure import announce_candidate, announce_evaluation, evaluation_key, record_evaluation
from fogline.steps.services import Services
from fogline.versions import MAIN, parse_version


class EvaluateCandidate(CollectAnswers):
    """Announce the evaluation of base and candidate on the held-out days, and collect the scores."""

    operator_extra_links = (RoundPageLink(), CandidateLink())
    reads, writes = (MODEL, CANDIDATE, MODEL_UPDATES), (MODEL_BLOBS, ROUND_PLANS)

    def plan_of(self, services: Services, federation: Federation, dag_run_id: str) -> PlanState:
        """Return the evaluation of this run's candidate; announced by the first poke."""
        return announce_candidate(services, federation, dag_run_id)

    def on_sealed(self, services: Services, federation: Federation, dag_run_id: str, seal: Seal) -> None:
        """Record and show the scores."""
        scores = record_evaluation(services, seal)
        log_lines(self.log, scores_table("Held-out days, before and after", scores, federation.target.unit))


class AnnounceEvaluation(FederationOperator):
    """Ask the fogs to score a version over the form's window."""

    ui_color = "#cfe8f3"
    reads, writes = (MODEL,), (MODEL_BLOBS, ROUND_PLANS)

    def execute(self, context: Any) -> str:
        """Announce the plan."""
        form = context["params"]
        with airflow_failures():
            state = announce_evaluation(
                open_services(),
                self.federation,
                run_id_of(context),
                parse_version(form["version"], MAIN) if form["version"] else None,
                EventTimeSpan(start=form["window_start"], end=form["window_end"]),
                form["rows"],
                form["deadline_s"],
            )
        log_lines(self.log, describe(state.plan))
        return state.plan.plan_id


class CollectScores(CollectAnswers):
    """Collect the fogs' scores and show them."""

    def plan_of(self, services: Services, federation: Federation, dag_run_id: str) -> PlanState:
        """Return the run's evaluation plan."""
        return self.announced(services, evaluation_key(federation, dag_run_id), dag_run_id, "announce_evaluation")

    def on_sealed(self, services: Services, federation: Federation, dag_run_id: str, seal: Seal) -> None:
        """Record and show the scores."""
        scores = record_evaluation(services, seal)
        log_lines(self.log, scores_table(f"Scores over {seal.plan.window}", scores, federation.target.unit))
