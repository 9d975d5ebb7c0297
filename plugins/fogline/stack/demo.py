"""The demo: replay the readings, initialise the federation, backfill rounds through Airflow, show what came of them."""

import datetime as dt
import time

from rich import box
from rich.console import Console
from rich.table import Table

from fogline.dag_ids import EVALUATE, INITIALISE, ROUND, dag_id
from fogline.federation import Federation, federation_file, load_federation
from fogline.ledger.database import Ledger
from fogline.ledger.history import CommittedRound, committed_rounds, evaluation_scores
from fogline.ledger.plans import newest_plan
from fogline.rounds.intervals import interval_at
from fogline.stack.airflow import USER
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.airflow_runs import ENDED, AirflowRuns, TaskTime
from fogline.stack.stack import PRODUCER, Stack
from fogline.stack.waiting import wait_until
from fogline.steps.measure import evaluation_key

REPLAY_DEADLINE_S = 600
RUN_DEADLINE_S = 900
POLL_S = 0.5
TABLE_WIDTH = 130
SCORE_DEADLINE_S = 30
TASKS = ("announce_round", "collect_weights", "aggregate_weights", "evaluate_candidate", "publish_global_model")


class Demo:
    """Rounds over the replayed wind farm.

    Parameters
    ----------
    federation
        Whose rounds.
    ledger
        Where they are recorded.
    airflow
        The API of the Airflow that runs them.
    console
        Where progress and the table are shown.
    """

    def __init__(self, federation: Federation, ledger: Ledger, airflow: AirflowApi, console: Console) -> None:
        self.federation, self.ledger, self.console = federation, ledger, console
        self.rounds_dag = dag_id(ROUND, federation.federation)
        self.runs = AirflowRuns(airflow)

    def run(self, n_rounds: int) -> None:
        """Run the demo up to its table; the readings have been replayed."""
        self._trigger(INITIALISE)
        first = interval_at(self.federation, 0).start
        last = interval_at(self.federation, n_rounds - 1).start
        self.runs.unpause(self.rounds_dag)
        self.runs.backfill(self.rounds_dag, first, last)
        self.console.print(f"backfill of {n_rounds} rounds, {first:%Y-%m-%d} to {last:%Y-%m-%d}")
        for index in range(n_rounds):
            self._follow(index)
        times = {index: self.tasks_of(index) for index in range(n_rounds)}
        # Cells cut to fit a narrow terminal would say nothing.
        wide = Console(width=max(self.console.width, TABLE_WIDTH), file=self.console.file)
        wide.print(self._table(times))
        self._score_next_year()

    def _trigger(self, kind: str, form: dict[str, object] | None = None) -> str:
        dag = dag_id(kind, self.federation.federation)
        began = time.monotonic()
        self.runs.unpause(dag)
        run_id = self.runs.trigger(dag, form)
        wait_until(lambda: self.runs.state(dag, run_id) in ENDED, what=dag, deadline_s=RUN_DEADLINE_S, every_s=POLL_S)
        self.runs.require_success(dag, run_id)
        self.console.print(f"{dag}: {time.monotonic() - began:.1f} s")
        return run_id

    def tasks_of(self, index: int) -> list[TaskTime]:
        """Return the tasks of an interval's backfilled run."""
        run = self.runs.run_of(self.rounds_dag, interval_at(self.federation, index).start)
        return self.runs.tasks(self.rounds_dag, run["dag_run_id"]) if run else []

    def _follow(self, index: int) -> None:
        interval = interval_at(self.federation, index)
        run_id = ""

        def ended() -> bool:
            nonlocal run_id
            run = self.runs.run_of(self.rounds_dag, interval.start)
            if run is None or run["state"] not in ENDED:
                return False
            run_id = run["dag_run_id"]
            return True

        wait_until(ended, what=f"round {index} ({interval})", deadline_s=RUN_DEADLINE_S, every_s=POLL_S)
        self.runs.require_success(self.rounds_dag, run_id)
        committed = self.committed()[index]
        self.console.print(
            f"round {index:>2}  {interval.start:%Y-%m-%d}  {self.federation.branch}@{committed.version}  "
            f"RMSE {_rmse(committed.before.rmse)} → {_rmse(committed.after.rmse)} {self.federation.target.unit}"
        )

    def committed(self) -> dict[int, CommittedRound]:
        """Return the rounds on the chain by interval."""
        with self.ledger.transaction() as session:
            rounds = committed_rounds(session, self.federation.federation, self.federation.branch)
        return {committed.interval_index: committed for committed in rounds}

    def _table(self, times: dict[int, list[TaskTime]]) -> Table:
        unit = self.federation.target.unit
        table = Table(title=f"RMSE in {unit} on held-out days, and wall seconds by task", box=box.SIMPLE)
        for heading in (
            "from",
            "model",
            "fogs",
            "examples",
            "before",
            "after",
            *(t.split("_")[0] for t in TASKS),
            "round",
        ):
            table.add_column(heading, justify="right", no_wrap=True)
        committed = self.committed()
        for index, tasks in times.items():
            row = committed[index]
            by_name = {task.task_id: task for task in tasks}
            table.add_row(
                f"{interval_at(self.federation, index).start:%Y-%m-%d}",
                f"{self.federation.branch}@{row.version}",
                _who(row),
                str(row.n_examples),
                _rmse(row.before.rmse),
                _rmse(row.after.rmse),
                *(_seconds(by_name[task_id].wall_s) for task_id in TASKS),
                _seconds(round_wall_s(by_name)),
            )
        return table

    def _score_next_year(self) -> None:
        end = self.federation.initialise.window_end
        form = {
            "window_start": end.isoformat(),
            "window_end": (end + dt.timedelta(days=365)).isoformat(),
            "deadline_s": SCORE_DEADLINE_S,
        }
        run_id = self._trigger(EVALUATE, form)
        with self.ledger.transaction() as session:
            scores = evaluation_scores(session, self._evaluation_plan(run_id))
        for name, total in scores.items():
            self.console.print(
                f"evaluate_model: {name} on all {total.n} readings of {end:%Y}: "
                f"RMSE {total.rmse:.1f} {self.federation.target.unit}, R² {total.r2:.4f}"
            )

    def _evaluation_plan(self, run_id: str) -> str:
        with self.ledger.transaction() as session:
            state = newest_plan(session, evaluation_key(self.federation, run_id), run_id)
        assert state is not None
        return state.plan.plan_id


def demo_on(stack: Stack, console: Console) -> Demo:
    """Return the demo on a stack that is up, once it has replayed the readings."""
    supervisor, settings = stack.supervisor, stack.settings
    wait_until(
        lambda: supervisor.state(PRODUCER).ended_well,
        what="the replay of the readings",
        deadline_s=REPLAY_DEADLINE_S,
        log=supervisor.log(PRODUCER),
    )
    federation = load_federation(federation_file(settings.federation, folder=settings.federations))
    airflow = AirflowApi(settings.airflow_url, USER, stack.parts.airflow.password)
    return Demo(federation, Ledger(stack.parts.ledger_url), airflow, console)


def round_wall_s(by_name: dict[str, TaskTime]) -> float | None:
    """Return the seconds from the start of the first task to the end of the last."""
    start, end = by_name[TASKS[0]].start, by_name[TASKS[-1]].end
    return None if start is None or end is None else (end - start).total_seconds()


def _who(row: CommittedRound) -> str:
    return f"all {len(row.members)}" if row.answered == row.members else ", ".join(row.answered)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _rmse(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
