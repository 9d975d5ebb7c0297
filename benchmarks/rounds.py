"""Rounds through the whole stack on a fresh state: wall time by task, plan to update, memory and idle CPU of the fogs.

``./fogline run python benchmarks/rounds.py --engine spark-connect --rounds 52`` starts a stack of its own on free
ports, runs the demo on it, and takes it down. Run it on a machine that does nothing else.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml
from rich.console import Console
from sqlalchemy import select

from fogline.federation import federation_file
from fogline.ledger.schema import AnswerRow, PlanRow
from fogline.stack.demo import TASKS, Demo, demo_on, round_wall_s
from fogline.stack.ports import free_ports
from fogline.stack.processes import memory_mib
from fogline.stack.settings import Settings
from fogline.stack.stack import Stack

IDLE_S = 30.0


@contextmanager
def fresh_stack(engine: str, seed: int) -> Iterator[Stack]:
    """Give a stack on a fresh state, whose wind farm has an engine and a seed."""
    with tempfile.TemporaryDirectory(prefix="fogline-rounds-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        # Postgres may run as another user.
        home.chmod(0o755)
        federations = home / "federations"
        federations.mkdir()
        content = yaml.safe_load(federation_file("wind_farm").read_text())
        (federations / "wind_farm.yaml").write_text(yaml.safe_dump({**content, "aggregation": engine, "seed": seed}))
        names = [field for field in Settings.model_fields if field.endswith("_port")]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        stack = Stack(Settings(home=home, tools=Settings().tools, federations=federations, **ports))
        try:
            yield stack
        finally:
            stack.down()


def plan_to_update_s(demo: Demo) -> list[float]:
    """Return the seconds from each training plan's append to each update's append, by the broker's clock."""
    query = (
        select(PlanRow.append_time_ms, AnswerRow.append_time_ms)
        .join(AnswerRow, AnswerRow.plan_id == PlanRow.plan_id)
        .where(PlanRow.purpose == "round/main/train", AnswerRow.verdict == "accepted")
    )
    with demo.ledger.transaction() as session:
        return [(answered - planned) / 1000 for planned, answered in session.execute(query)]


def family(pid: int) -> list[psutil.Process]:
    """Return a process with its children."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def cpu_s(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that processes have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def idle_fog(stack: Stack) -> tuple[float, float]:
    """Return the fogs' PSS in MiB and their share of one core while nothing is asked of them."""
    pid = stack.supervisor.state("fog").pid
    before, began = cpu_s(family(pid)), time.monotonic()
    time.sleep(IDLE_S)
    share = (cpu_s(family(pid)) - before) / (time.monotonic() - began)
    return memory_mib(pid), share


def main(argv: list[str] | None = None) -> int:
    """Run the demo and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["spark-submit", "spark-connect"], default="spark-submit")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    console = Console(width=120)
    with fresh_stack(arguments.engine, arguments.seed) as stack:
        began = time.monotonic()
        stack.up()
        console.print(f"up: {time.monotonic() - began:.1f} s")
        demo = demo_on(stack, console)
        demo.run(arguments.rounds)
        tasks = [{t.task_id: t for t in demo.tasks_of(index)} for index in range(arguments.rounds)]
        for task_id in TASKS:
            console.print(f"{task_id}: median {statistics.median(t[task_id].wall_s or 0 for t in tasks):.2f} s")
        walls = [round_wall_s(t) or 0 for t in tasks]
        console.print(f"round: median {statistics.median(walls):.2f} s, worst {max(walls):.2f} s")
        first, last = tasks[0][TASKS[0]].start, tasks[-1][TASKS[-1]].end
        assert first is not None and last is not None
        console.print(f"{arguments.rounds} rounds: {(last - first).total_seconds():.1f} s")
        answered = plan_to_update_s(demo)
        console.print(f"plan to update: median {statistics.median(answered):.3f} s, worst {max(answered):.3f} s")
        memory, share = idle_fog(stack)
        console.print(f"four fogs in one application, idle: {memory:.0f} MiB PSS, {100 * share:.1f} % of a core")
        for committed in demo.committed().values():
            if committed.interval_index == arguments.rounds - 1:
                console.print(f"last digest: {committed.digest[:12]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
