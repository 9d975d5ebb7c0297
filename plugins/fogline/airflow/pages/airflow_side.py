"""What a federation's page takes from Airflow's own database, in one statement for each question."""

from collections.abc import Collection
from dataclasses import dataclass

from airflow.models.dag import DagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import or_, select

from fogline.dag_ids import COMPARE_BRANCHES, INITIALISE, NEW_BRANCH, PROMOTE_BRANCH, ROLL_BACK, ROUND, dag_id

ACTIONS = (COMPARE_BRANCHES, NEW_BRANCH, PROMOTE_BRANCH, ROLL_BACK)


@dataclass(frozen=True)
class AirflowSide:
    """What Airflow knows of federations and of runs; a test has another in its place."""

    def federations(self) -> list[str]:
        """Return the federations that have DAGs, with a model or without one."""
        prefix = f"{INITIALISE}__"
        query = select(DagModel.dag_id).where(~DagModel.is_stale, DagModel.dag_id.startswith(prefix, autoescape=True))
        with create_session() as session:
            return [found.removeprefix(prefix) for found in session.scalars(query)]

    def dags(self, federation: str) -> dict[str, bool]:
        """Return the DAGs of a federation's rounds and actions, and whether each is paused."""
        rounds = dag_id(ROUND, federation)
        of_branch = DagModel.dag_id.startswith(f"{rounds}__", autoescape=True)
        named = [rounds, dag_id(INITIALISE, federation), *(dag_id(kind, federation) for kind in ACTIONS)]
        query = select(DagModel.dag_id, DagModel.is_paused).where(~DagModel.is_stale)
        with create_session() as session:
            rows = session.execute(query.where(or_(DagModel.dag_id.in_(named), of_branch)))
            return {found: bool(is_paused) for found, is_paused in rows}

    def telling_tasks(self, rounds: str, dag_run_ids: Collection[str]) -> dict[str, str]:
        """Return the task whose log tells most of each run: one that failed, else the last that began.

        A run that Airflow has deleted is missing.
        """
        columns = (TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state)
        query = select(*columns).where(TaskInstance.dag_id == rounds, TaskInstance.run_id.in_(dag_run_ids))
        found: dict[str, tuple[str, bool]] = {}
        with create_session() as session:
            for run, task, state in session.execute(
                query.order_by(TaskInstance.start_date.is_not(None), TaskInstance.start_date)
            ):
                if run not in found or not found[run][1]:
                    found[run] = (task, state == "failed")
        return {run: task for run, (task, _) in found.items()}


def airflow_side() -> AirflowSide:
    """Return Airflow's side."""
    return AirflowSide()
