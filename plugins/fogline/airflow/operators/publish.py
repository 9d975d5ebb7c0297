"""Publish the candidate."""

from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from fogline.airflow.connections import open_services
from fogline.airflow.failures import airflow_failures
from fogline.airflow.operators.task import FederationOperator, log_lines, run_id_of
from fogline.steps.publish import Publication, publish_candidate


class PublishGlobalModel(FederationOperator):
    """Commit the candidate as the branch's next version and send the head to Kafka."""

    ui_color = "#fce5cd"

    def execute(self, context: Any) -> dict[str, Any]:
        """Publish, or compare with what is on the chain."""
        with airflow_failures():
            publication = publish_candidate(open_services(), self.federation, run_id_of(context))
        return tell(self, publication)


def tell(task: BaseOperator, publication: Publication) -> dict[str, Any]:
    """Log what became of a model; a recomputed one that differs fails the task with the differences.

    Returns
    -------
    dict
        Outcome, version and digest, for the XCom.
    """
    row = publication.model
    name = f"{row.branch}@{row.version} ({row.digest[:12]})"
    if publication.outcome == "differs":
        log_lines(task.log, "\n".join(publication.differences))
        raise AirflowFailException(
            f"Recomputed, and it differs from {name}; nothing was published. See the lines above"
        )
    done = "published" if publication.outcome == "committed" else "reproduced to the byte; nothing to publish"
    task.log.info("%s %s", name, done)
    return {"outcome": publication.outcome, "version": row.version, "digest": row.digest}
