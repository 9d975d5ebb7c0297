"""Publish the candidate, after a person has approved it where the federation asks for that."""

import datetime as dt
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from fogline.airflow.assets import tell_of_model
from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.lineage import CANDIDATE, MODEL
from fogline.airflow.operators.task import FederationOperator, FederationTask, log_lines, run_id_of
from fogline.airflow.pages.link import CandidateLink, RoundPageLink
from fogline.federation.settings import Approval
from fogline.kafka.topics import GLOBAL_MODEL
from fogline.steps.publish import Publication, approval_question, publish_candidate

APPROVAL_TASK = "approve_candidate"
CHOICES = {"publish": "Publish", "refuse": "Refuse"}


class ApproveCandidate(FederationTask, HITLOperator):
    """Ask a person whether to publish the candidate; asks nobody when there is nothing to decide."""

    ui_color = "#fff2cc"

    def __init__(self, *, federation_file: str, approval: Approval, **kwargs: Any) -> None:
        super().__init__(
            subject="Publish this round's candidate?",
            options=list(CHOICES.values()),
            defaults=CHOICES[approval.default],
            response_timeout=dt.timedelta(seconds=approval.timeout_s),
            doc_md=self.said(),
            **kwargs,
        )
        self.federation_file = federation_file

    def execute(self, context: Any) -> Any:
        """Ask, with the scores."""
        with airflow_failures():
            question = approval_question(open_services(), self.federation, run_id_of(context))
        if question is None:
            self.log.info("Nothing to approve: the gate refuses the candidate, or the round only compares")
            return None
        self.log.info("%s Without an answer: %s", question, ", ".join(self.defaults or ()))
        self.body = question
        return super().execute(context)


class PublishGlobalModel(FederationOperator):
    """Commit the candidate as the branch's next version and send the head to Kafka."""

    ui_color = "#fce5cd"
    operator_extra_links = (RoundPageLink(), CandidateLink())
    reads, writes = (CANDIDATE,), (MODEL, GLOBAL_MODEL)

    def execute(self, context: Any) -> dict[str, Any]:
        """Publish, compare with what is on the chain, or record the refusal."""
        federation, run_id = self.federation, run_id_of(context)
        with airflow_failures():
            refusal = _refusal(context) if APPROVAL_TASK in self.upstream_task_ids else None
            publication = publish_candidate(open_services(), federation, run_id, refusal)
        if publication.outcome == "refused":
            ended = AirflowSkipException if federation.promotion.on_refusal == "skip" else AirflowFailException
            self.log.warning("Refused: %s. %s stays the global model", publication.reason, publication.model.name)
            raise ended(f"Refused: {publication.reason}")
        return tell(self, publication, context)


def _refusal(context: Any) -> str | None:
    answer = context["ti"].xcom_pull(task_ids=APPROVAL_TASK)
    if not answer or answer["chosen_options"] != [CHOICES["refuse"]]:
        return None
    user = answer["responded_by_user"]
    return f"by {user['name']}" if user else "because nobody answered in time"


def tell(task: BaseOperator, publication: Publication, context: Any) -> dict[str, Any]:
    """Say what became of a model, in the log and to who follows its asset; one that differs fails the task.

    Returns
    -------
    dict
        Outcome, version and digest, for the XCom.
    """
    row = publication.model
    name = f"{row.name} ({row.digest[:12]})"
    if publication.outcome == "differs":
        log_lines(task.log, "\n".join(publication.differences))
        raise AirflowFailException(
            f"Recomputed, and it differs from {name}; nothing was published. See the lines above"
        )
    if publication.reason:
        task.log.info("Gate: %s", publication.reason)
    if publication.outcome == "committed":
        tell_of_model(context, row, publication.outcome)
    done = "published" if publication.outcome == "committed" else "reproduced to the byte; nothing to publish"
    task.log.info("%s %s", name, done)
    return {"outcome": publication.outcome, "version": row.version, "digest": row.digest}
