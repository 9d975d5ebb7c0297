"""DAG runs measured one at a time: wall seconds, and CPU seconds of the whole stack by group of processes."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from benchmarks.measuring import TOTAL, cpu_between, cpu_by_group
from benchmarks.own_stack import airflow_of
from fogline.stack.airflow_runs import ENDED, AirflowRuns
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until

RUN_DEADLINE_S = 900
# The same for all, because it is work for the API server too.
POLL_S = 0.25
# Groups that use less of a run's CPU than this are not worth a row.
LEAST_S = 0.01


@dataclass(frozen=True)
class Measured:
    """One DAG run: from the start of its first task to the end of its last, and what the stack used up to its end."""

    wall_s: float
    cpu_s: Mapping[str, float]


def measured_run(stack: Stack, dag: str) -> Measured:
    """Run a DAG once, by hand, and return what it took."""
    runs = AirflowRuns(airflow_of(stack))
    runs.unpause(dag)
    before = cpu_by_group(stack)
    run_id = runs.trigger(dag)
    wait_until(lambda: runs.state(dag, run_id) in ENDED, what=dag, deadline_s=RUN_DEADLINE_S, every_s=POLL_S)
    used = cpu_between(before, cpu_by_group(stack))
    runs.require_success(dag, run_id)
    tasks = runs.tasks(dag, run_id)
    starts = [task.start for task in tasks if task.start]
    ends = [task.end for task in tasks if task.end]
    return Measured((max(ends) - min(starts)).total_seconds(), used)


def measured_in_turn(stack: Stack, dags: Mapping[str, str], n_runs: int) -> dict[str, list[Measured]]:
    """Run DAGs in turn, so that what else the machine does falls on all of them; the first turn warms up."""
    turns = [{name: measured_run(stack, dag) for name, dag in dags.items()} for _ in range(n_runs + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in dags}


def ratio_table(measured: Mapping[str, Sequence[Measured]], floor: str) -> Table:
    """Return medians per run, and their ratios to those of the floor."""
    n_runs = len(measured[floor])
    table = Table(box=box.SIMPLE, title=f"{n_runs} runs of each, in turn, in one Airflow")
    table.add_column("median per run", no_wrap=True)
    others = [name for name in measured if name != floor]
    for name in (floor, *others):
        table.add_column(name, justify="right")
    for name in others:
        table.add_column(f"{name} / empty", justify="right")

    def add(title: str, medians: Mapping[str, float]) -> None:
        cells = [f"{medians[name]:.2f} s" for name in (floor, *others)]
        least = medians[floor] >= LEAST_S
        table.add_row(title, *cells, *(f"{medians[o] / medians[floor]:.2f}" if least else "-" for o in others))

    add("wall", {name: statistics.median(run.wall_s for run in runs) for name, runs in measured.items()})
    groups = dict.fromkeys(group for runs in measured.values() for run in runs for group in run.cpu_s)
    for group in (TOTAL, *(group for group in groups if group != TOTAL)):
        medians = {n: statistics.median(run.cpu_s.get(group, 0.0) for run in runs) for n, runs in measured.items()}
        if max(medians.values()) >= LEAST_S:
            add(f"CPU, {group}", medians)
    return table
