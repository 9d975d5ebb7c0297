"""Who may see a page, and what a page takes from Airflow: Airflow does not guard the routes of a plugin by itself."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi import Depends, Request
from sqlalchemy import select

from fogline.airflow.connections import ledger_url
from fogline.dag_ids import ROUND, dag_id
from fogline.ledger.database import Ledger

may_read_runs_of_dag = requires_access_dag("GET", DagAccessEntity.RUN)


@dataclass(frozen=True)
class TaskOfRun:
    """A task of a DAG run and its state; None before it was scheduled."""

    task_id: str
    state: str | None


def may_read_round(federation: str, branch: str, request: Request, user: GetUserDep) -> None:
    """Let only those pass who are logged in and may read the runs of the branch's DAG."""
    requires_access_dag("GET", DagAccessEntity.RUN, dag_id(ROUND, federation, branch))(request, user)


def open_ledger() -> Ledger:
    """Return the ledger of the connection ``fogline_ledger``; its pool of database connections serves all requests."""
    return _ledger_at(ledger_url())


OpenLedger = Annotated[Ledger, Depends(open_ledger)]


@cache
def _ledger_at(url: str) -> Ledger:
    return Ledger(url)


def tasks_of_round(federation: str, branch: str, dag_run_id: str) -> list[TaskOfRun]:
    """Return the tasks of a round's DAG run in the order in which they began; none when Airflow has deleted the run."""
    mine = (TaskInstance.dag_id == dag_id(ROUND, federation, branch), TaskInstance.run_id == dag_run_id)
    query = select(TaskInstance.task_id, TaskInstance.state).where(*mine)
    with create_session() as session:
        rows = session.execute(query.order_by(TaskInstance.start_date.is_(None), TaskInstance.start_date))
        return [TaskOfRun(task_id, state) for task_id, state in rows]
