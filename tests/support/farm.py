"""Drive the wind farm on a whole stack, as an operator would: start runs and backfills, clear tasks, read logs."""

import datetime as dt
from typing import Any

from fogline.federation import Federation, load_federation
from fogline.ledger.database import Ledger
from fogline.ledger.models import chain_of
from fogline.ledger.schema import ModelRow
from fogline.rounds.intervals import interval_at
from fogline.stack.airflow import USER
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.airflow_runs import ENDED, AirflowRuns
from fogline.stack.stack import PRODUCER, Stack
from fogline.stack.waiting import wait_until

ROUNDS = "federated_round__wind_farm"
INITIALISE = "initialise_federation__wind_farm"
DEADLINE_S = 240


class Farm:
    """A wind farm on a stack that is up and has replayed its readings."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.federation: Federation = load_federation(stack.settings.federations / "wind_farm.yaml")
        self.ledger = Ledger(stack.parts.ledger_url)
        self.runs = AirflowRuns(AirflowApi(stack.settings.airflow_url, USER, stack.parts.airflow.password))

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
        self.runs.unpause(ROUNDS)
        self.runs.backfill(ROUNDS, self.start_of(first), self.start_of(last))
        return [self.ended_run_of(index) for index in range(first, last + 1)]

    def ended_run_of(self, index: int) -> str:
        """Return the id of an interval's run once it has succeeded."""
        run = self.await_run(index)
        self.wait(ROUNDS, run)
        return run

    def await_run(self, index: int) -> str:
        """Return the id of an interval's run once there is one."""
        start = self.start_of(index)
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            run = self.runs.run_of(ROUNDS, start)
            if run is not None:
                found.append(run)
            return run is not None

        wait_until(is_there, what=f"the run of interval {index}", deadline_s=DEADLINE_S, every_s=0.2)
        return str(found[0]["dag_run_id"])

    def await_task(self, run_id: str, task_id: str, *states: str) -> None:
        """Wait until a task of a round is in one of some states."""

        def is_so() -> bool:
            return any(t.task_id == task_id and t.state in states for t in self.runs.tasks(ROUNDS, run_id))

        wait_until(is_so, what=f"{task_id} {states}", deadline_s=DEADLINE_S, every_s=0.1)

    def log(self, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the log of a round's task."""
        return "\n".join(self.runs.log(ROUNDS, run_id, task_id, try_number))

    def chain(self) -> list[ModelRow]:
        """Return the committed versions, from 0 to the head."""
        with self.ledger.transaction() as session:
            return chain_of(session, "wind_farm", "main")

    def start_of(self, index: int) -> dt.datetime:
        """Return where an interval begins."""
        return interval_at(self.federation, index).start
