"""Drive the wind farm on a whole stack, as an operator would: start runs and backfills, clear tasks, read logs."""

import datetime as dt
from typing import Any

import yaml

from fogline import dag_ids
from fogline.dag_ids import ROUND, dag_id
from fogline.federation import Federation, federation_file, load_federation
from fogline.ledger.database import Ledger
from fogline.ledger.models import chain_of
from fogline.ledger.schema import ModelRow
from fogline.rounds.intervals import interval_at
from fogline.stack.airflow import USER
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.airflow_runs import ENDED, AirflowRuns, TaskTime
from fogline.stack.stack import PRODUCER, Stack
from fogline.stack.waiting import wait_until

NAME = "wind_farm"
ROUNDS = dag_id(ROUND, NAME)
INITIALISE = dag_id(dag_ids.INITIALISE, NAME)
DEADLINE_S = 240


class Farm:
    """A branch of the wind farm on a stack that is up and has replayed its readings."""

    def __init__(self, stack: Stack, branch: str = "main") -> None:
        self.stack, self.branch = stack, branch
        self.dag_id = dag_id(ROUND, NAME, branch)
        self.federation: Federation = load_federation(federation_file(NAME, branch, stack.settings.federations))
        self.ledger = Ledger(stack.parts.ledger_url)
        self.api = AirflowApi(stack.settings.airflow_url, USER, stack.parts.airflow.password)
        self.runs = AirflowRuns(self.api)

    def on_branch(self, branch: str, content: dict[str, Any]) -> "Farm":
        """Write a branch's file and return the farm on it once its DAG is there and runs."""
        file = federation_file(NAME, branch, self.stack.settings.federations)
        file.write_text(yaml.safe_dump({"description": f"The branch {branch}", **content}))
        farm = Farm(self.stack, branch)
        wait_until(lambda: farm.api.has_dag(farm.dag_id), what=farm.dag_id, deadline_s=DEADLINE_S, every_s=0.5)
        farm.runs.unpause(farm.dag_id)
        return farm

    def connect(self, connection: dict[str, Any]) -> None:
        """Give Airflow a connection."""
        self.api.request("POST", "/api/v2/connections", json=connection).raise_for_status()

    def replay(self) -> None:
        """Replay the readings and wait for the end of it."""
        self.stack.up(producer=True)
        supervisor = self.stack.supervisor
        wait_until(lambda: supervisor.state(PRODUCER).ended_well, what="the replay", deadline_s=DEADLINE_S)

    def initialise(self) -> None:
        """Commit version 0, unless it is there."""
        if not self.chain():
            self.runs.unpause(INITIALISE)
            self.wait(INITIALISE, self.runs.trigger(INITIALISE))

    def wait(self, dag_id: str, run_id: str, expected: str = "success") -> None:
        """Wait until a run has ended as expected."""
        wait_until(lambda: self.runs.state(dag_id, run_id) in ENDED, what=run_id, deadline_s=DEADLINE_S, every_s=0.5)
        if expected == "success":
            self.runs.require_success(dag_id, run_id)
        assert self.runs.state(dag_id, run_id) == expected

    def backfill(self, first: int, last: int) -> list[str]:
        """Backfill intervals and return the ids of their runs once all have succeeded."""
        self.runs.unpause(self.dag_id)
        self.runs.backfill(self.dag_id, self.start_of(first), self.start_of(last))
        return [self.ended_run_of(index) for index in range(first, last + 1)]

    def ended_run_of(self, index: int) -> str:
        """Return the id of an interval's run once it has succeeded."""
        run = self.await_run(index)
        self.wait(self.dag_id, run)
        return run

    def run_state(self, index: int) -> str | None:
        """Return the state of an interval's run; None when there is none."""
        run = self.runs.run_of(self.dag_id, self.start_of(index))
        return str(run["state"]) if run else None

    def await_run(self, index: int) -> str:
        """Return the id of an interval's run once there is one."""
        start = self.start_of(index)
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            run = self.runs.run_of(self.dag_id, start)
            if run is not None:
                found.append(run)
            return run is not None

        wait_until(is_there, what=f"the run of interval {index}", deadline_s=DEADLINE_S, every_s=0.2)
        return str(found[0]["dag_run_id"])

    def await_task(self, run_id: str, task_id: str, *states: str) -> None:
        """Wait until a task of a round is in one of some states."""

        def is_so() -> bool:
            return any(t.task_id == task_id and t.state in states for t in self.runs.tasks(self.dag_id, run_id))

        wait_until(is_so, what=f"{task_id} {states}", deadline_s=DEADLINE_S, every_s=0.1)

    def task(self, run_id: str, task_id: str) -> TaskTime:
        """Return a task's last try."""
        return next(task for task in self.runs.tasks(self.dag_id, run_id) if task.task_id == task_id)

    def await_log(self, run_id: str, task_id: str, text: str) -> str:
        """Return the log of a task's last try once it has a text."""
        found: list[str] = []

        def has_it() -> bool:
            found[:] = [self.log(run_id, task_id, max(self.task(run_id, task_id).try_number, 1))]
            return text in found[0]

        wait_until(has_it, what=f"{text!r} in the log of {task_id}", deadline_s=DEADLINE_S, every_s=0.5)
        return found[0]

    def log(self, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the log of a round's task."""
        return "\n".join(self.runs.log(self.dag_id, run_id, task_id, try_number))

    def chain(self) -> list[ModelRow]:
        """Return the committed versions, from 0 to the head."""
        with self.ledger.transaction() as session:
            return chain_of(session, NAME, self.branch)

    def start_of(self, index: int) -> dt.datetime:
        """Return where an interval begins."""
        return interval_at(self.federation, index).start
