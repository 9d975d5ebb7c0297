"""The buttons on a task that lead to its round's page and to its candidate."""

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from fogline.airflow.pages.addresses import candidate_of_run, page_of_run

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class CandidateLink(BaseOperatorLink):
    """Leads to the file of the round's candidate."""

    name = "Candidate"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Return the file's path."""
        return candidate_of_run(ti_key.dag_id, ti_key.run_id)


class RoundPageLink(BaseOperatorLink):
    """Leads to the page of the task's round.

    The task itself leaves the address as an XCom each time it ends or is put off, and Airflow's UI reads it there. A
    link registered by the plugin would show sooner, but has the API server load all operators' libraries.
    """

    name = "Round's page"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """Return the page's path."""
        return page_of_run(ti_key.dag_id, ti_key.run_id)
