"""Idle: what the whole stack takes of a core after a round while nothing is asked of it, by process.

``./fogline run python benchmarks/idle.py`` starts a stack of its own on free ports, runs one round, looks away for
three minutes and takes the stack down. ``--branches 10`` adds ten branches before that.
"""

import argparse
import sys
import time

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import TOTAL, cpu_between, cpu_by_group
from benchmarks.own_stack import add_branch, fresh_stack
from fogline.stack.demo import demo_on
from fogline.stack.processes import memory_mib
from fogline.stack.stack import Stack

IDLE_S = 180.0


def idle_share(stack: Stack, seconds: float) -> dict[str, float]:
    """Return each group's share of one core over a span in which nothing is asked."""
    before, began = cpu_by_group(stack), time.monotonic()
    # The span is what is measured.
    time.sleep(seconds)
    after, took_s = cpu_by_group(stack), time.monotonic() - began
    return {group: used / took_s for group, used in cpu_between(before, after).items()}


def table_of(stack: Stack, shares: dict[str, float], title: str) -> Table:
    """Return the shares, largest first, with each program's memory."""
    table = Table("process", "% of a core", "PSS MiB", box=box.SIMPLE, title=title)
    pids = {state.name: state.pid for state in stack.supervisor.states() if state.pid}
    for group in sorted(shares, key=lambda group: -shares[group]):
        if group != TOTAL:
            memory = f"{memory_mib(pids[group]):.0f}" if group in pids else ""
            table.add_row(group, f"{100 * shares[group]:.1f}", memory)
    table.add_section()
    table.add_row(TOTAL, f"{100 * shares[TOTAL]:.1f}", f"{sum(map(memory_mib, pids.values())):.0f}")
    return table


def main(argv: list[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--branches", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=IDLE_S)
    parser.add_argument("--engine", choices=["spark-submit", "spark-connect"], default="spark-connect")
    arguments = parser.parse_args(argv)
    console = Console(width=120)
    with fresh_stack(arguments.engine, seed=1) as stack:
        began = time.monotonic()
        stack.up()
        console.print(f"up: {time.monotonic() - began:.1f} s")
        demo_on(stack, console).run(1)
        for number in range(arguments.branches):
            began = time.monotonic()
            add_branch(stack, f"branch_{number}")
            console.print(f"branch {number}: its DAG was there after {time.monotonic() - began:.1f} s")
        shares = idle_share(stack, arguments.seconds)
        title = f"{arguments.seconds:g} s after a round, {arguments.branches} branches"
        console.print(table_of(stack, shares, title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
