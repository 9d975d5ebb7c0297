"""Rounds through the whole stack on a fresh state, beside five empty tasks in the same Airflow.

``./fogline run python benchmarks/rounds.py --engine spark-connect --rounds 52`` starts a stack of its own on free
ports, runs the demo on it, then single rounds and runs of five tasks that do nothing in turn, and takes the stack down.
``--engine both`` has one branch by Spark Connect and one by spark-submit, and times the smallest Spark job alone.
With ``--nvflare-python``, ``--peer-scripts`` and ``--peer-data`` NVFlare's POC runs afterwards on the same readings.
Run it on a machine that does nothing else.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from benchmarks.beside import Peer, smallest_job_s
from benchmarks.measuring import cpu_between, cpu_by_group
from benchmarks.own_stack import add_branch, add_dag_files, await_dag, fresh_stack
from benchmarks.runs import Measured, measured_in_turn, ratio_table
from fogline.ledger.schema import AnswerRow, PlanRow
from fogline.stack.demo import TASKS, Demo, demo_on, round_wall_s
from fogline.stack.processes import memory_mib
from fogline.stack.stack import Stack

IDLE_S = 30.0
ENGINES = ("spark-connect", "spark-submit")
EMPTY = "five empty tasks"
EMPTY_DAG = "five_empty_tasks"


def plan_to_update_s(demo: Demo) -> list[float]:
    """Return the seconds from each training plan's append to each update's append, by the broker's clock."""
    query = (
        select(PlanRow.append_time_ms, AnswerRow.append_time_ms)
        .join(AnswerRow, AnswerRow.plan_id == PlanRow.plan_id)
        .where(PlanRow.purpose == "round/main/train", AnswerRow.verdict == "accepted")
    )
    with demo.ledger.transaction() as session:
        return [(answered - planned) / 1000 for planned, answered in session.execute(query)]


def idle_fog(stack: Stack) -> tuple[float, float]:
    """Return the fogs' PSS in MiB and their share of one core while nothing is asked of them."""
    before, began = cpu_by_group(stack), time.monotonic()
    # The span is what is measured.
    time.sleep(IDLE_S)
    share = cpu_between(before, cpu_by_group(stack))["fog"] / (time.monotonic() - began)
    return memory_mib(stack.supervisor.state("fog").pid), share


def backfilled(stack: Stack, n_rounds: int, console: Console) -> None:
    """Run the demo and print what its rounds took."""
    demo = demo_on(stack, console)
    demo.run(n_rounds)
    tasks = [{t.task_id: t for t in demo.tasks_of(index)} for index in range(n_rounds)]
    for task_id in TASKS:
        console.print(f"{task_id}: median {statistics.median(t[task_id].wall_s or 0 for t in tasks):.2f} s")
    walls = [round_wall_s(t) or 0 for t in tasks]
    console.print(f"round: median {statistics.median(walls):.2f} s, worst {max(walls):.2f} s")
    first, last = tasks[0][TASKS[0]].start, tasks[-1][TASKS[-1]].end
    assert first is not None and last is not None
    console.print(f"{n_rounds} rounds: {(last - first).total_seconds():.1f} s")
    answered = plan_to_update_s(demo)
    console.print(f"plan to update: median {statistics.median(answered):.3f} s, worst {max(answered):.3f} s")
    memory, share = idle_fog(stack)
    console.print(f"four fogs in one application, idle: {memory:.0f} MiB PSS, {100 * share:.1f} % of a core")
    for committed in demo.committed().values():
        if committed.interval_index == n_rounds - 1:
            console.print(f"last digest: {committed.digest[:12]}")


def in_turn(stack: Stack, engines: Sequence[str], n_runs: int, console: Console) -> dict[str, list[Measured]]:
    """Run single rounds of a branch for each engine and the empty tasks in turn, and print both sides."""
    await_dag(stack, EMPTY_DAG)
    dags = {engine: add_branch(stack, engine.replace("-", "_"), aggregation=engine) for engine in engines}
    measured = measured_in_turn(stack, {EMPTY: EMPTY_DAG, **dags}, n_runs)
    console.print(ratio_table(measured, EMPTY))
    return measured


def wall_of(measured: dict[str, list[Measured]], name: str) -> float:
    """Return the median wall seconds of runs."""
    return statistics.median(run.wall_s for run in measured[name])


def compare_engines(stack: Stack, measured: dict[str, list[Measured]], console: Console) -> None:
    """Print a round by spark-submit beside one by Connect and the start of a JVM."""
    connect, submit, start = wall_of(measured, ENGINES[0]), wall_of(measured, ENGINES[1]), smallest_job_s(stack)
    table = Table("wall, median", "s", box=box.SIMPLE, title="the start of a JVM")
    for name, seconds in ((ENGINES[0], connect), ("smallest job", start), (ENGINES[1], submit)):
        table.add_row(name, f"{seconds:.2f}")
    table.add_row("spark-submit / (spark-connect + smallest job)", f"{submit / (connect + start):.2f}")
    console.print(table)


def compare_peer(peer: Peer, measured: dict[str, list[Measured]], n_rounds: int, console: Console) -> None:
    """Run NVFlare's POC and print its round beside ours."""
    with tempfile.TemporaryDirectory(prefix="fogline-peer-") as folder:
        found = peer.run(n_rounds, Path(folder))
    theirs, cpu_s = float(found["wall_per_round_s_median"]), float(found["cpu_per_round_s_mean"])
    table = Table(
        "a round", "wall s, median", "CPU s", "wall / NVFlare", box=box.SIMPLE, title="beside NVFlare's POC, same hour"
    )
    table.add_row("NVFlare POC", f"{theirs:.2f}", f"{cpu_s:.2f}", "1.00")
    for name in measured:
        if name != EMPTY:
            ours = wall_of(measured, name)
            cpu_s = statistics.median(run.cpu_s["total"] for run in measured[name])
            table.add_row(name, f"{ours:.2f}", f"{cpu_s:.2f}", f"{ours / theirs:.2f}")
    console.print(table)
    console.print(f"NVFlare: {found['rounds']} rounds, start to first round {found['start_to_first_round_s']} s")


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=[*ENGINES, "both"], default="spark-submit")
    parser.add_argument("--rounds", type=int, default=12, help="how many the demo backfills")
    parser.add_argument("--runs", type=int, default=7, help="how many single rounds and runs of empty tasks follow")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nvflare-python", type=Path, metavar="PATH", help="Python of an environment with NVFlare")
    parser.add_argument("--peer-scripts", type=Path, metavar="FOLDER", help="folder of nvflare_bench.py")
    parser.add_argument("--peer-data", type=Path, metavar="FOLDER", help="what prep_wind.py made")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the demo, then what it is set beside, and print what was measured."""
    parser = options()
    arguments = parser.parse_args(argv)
    of_peer = (arguments.nvflare_python, arguments.peer_scripts, arguments.peer_data)
    if any(of_peer) and not all(of_peer):
        parser.error("--nvflare-python, --peer-scripts and --peer-data go together")
    engines = ENGINES if arguments.engine == "both" else (arguments.engine,)
    console = Console(width=120)
    add_dag_files()
    with fresh_stack(engines[0], arguments.seed) as stack:
        began = time.monotonic()
        stack.up()
        console.print(f"up: {time.monotonic() - began:.1f} s")
        backfilled(stack, arguments.rounds, console)
        measured = in_turn(stack, engines, arguments.runs, console)
        if len(engines) > 1:
            compare_engines(stack, measured, console)
    if all(of_peer):
        # After the stack is down: each has the machine for itself.
        compare_peer(Peer(*(path.absolute() for path in of_peer)), measured, arguments.rounds, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
