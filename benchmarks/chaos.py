"""Random kills across a backfill: rounds lost, doubled or differing from an undisturbed run must all be 0.

``./fogline run python benchmarks/chaos.py --kills 50`` starts a stack of its own on free ports, backfills 26 weekly
rounds of the wind farm while it kills -9 random processes of it at random moments, and compares. The kills are drawn
from the seed: whom, in which round, and how long after that round's run began.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from fogline.ledger.schema import ModelRow
from fogline.stack.airflow_runs import ENDED
from fogline.stack.waiting import wait_until
from producer.sources.la_haute_borne import ensure_readings
from tests.support.crashes import VICTIMS, kill
from tests.support.farm import Farm
from tests.support.in_process import undisturbed_digests
from tests.support.stacks import fresh_stack, january_federation

# A round takes about six seconds; a kill falls into it, or between it and the next.
LONGEST_WAIT_S = 6.0
ROUND_DEADLINE_S = 900


@dataclass(frozen=True)
class Kill:
    """Who is killed, in which round, and how long after its run began (or after the kill before)."""

    index: int
    wait_s: float
    victim: str


def draw(n_kills: int, n_rounds: int, seed: int) -> list[Kill]:
    """Return the kills in the order of the rounds."""
    chance = random.Random(seed)
    rounds = sorted(chance.randrange(n_rounds) for _ in range(n_kills))
    return [Kill(index, chance.uniform(0, LONGEST_WAIT_S), chance.choice(list(VICTIMS))) for index in rounds]


def disturb(farm: Farm, kills: list[Kill], console: Console) -> Counter[str]:
    """Kill as drawn while the backfill runs; return how often each victim died."""
    died: Counter[str] = Counter()
    for one in kills:
        wait_until(
            lambda index=one.index: farm.run_state(index) in {"running", *ENDED},
            what=f"round {one.index}",
            deadline_s=ROUND_DEADLINE_S,
            every_s=0.2,
        )
        # The moment itself is what the seed has drawn; nothing is waited for here.
        time.sleep(one.wait_s)
        if kill(farm, one.victim):
            died[one.victim] += 1
            console.print(f"round {one.index}, {one.wait_s:.1f} s: {one.victim} killed")
        else:
            died["nobody: it was not running"] += 1
    return died


def backfilled(farm: Farm, kills: list[Kill], n_rounds: int, console: Console) -> Counter[str]:
    """Backfill under fire until every round is over; return how often each victim died."""
    began = time.monotonic()
    farm.runs.backfill(farm.dag_id, farm.start_of(0), farm.start_of(n_rounds - 1))
    died = disturb(farm, kills, console)
    for index in range(n_rounds):
        wait_until(
            lambda index=index: farm.run_state(index) in ENDED,
            what=f"round {index}",
            deadline_s=ROUND_DEADLINE_S,
            every_s=0.5,
        )
    console.print(f"{n_rounds} rounds in {time.monotonic() - began:.0f} s")
    return died


def shown(died: Counter[str], chain: list[ModelRow], undisturbed: list[str]) -> Table:
    """Lay out what died and what became of the rounds."""
    by_interval = Counter(row.interval_index for row in chain if row.interval_index is not None)
    found = {
        "rounds lost": [index for index in range(len(undisturbed) - 1) if index not in by_interval],
        "rounds doubled": [index for index, n in by_interval.items() if n > 1],
        "rounds differing": [row.name for row in chain if row.digest not in undisturbed],
    }
    table = Table("", "number", "which")
    table.add_row("kills", str(sum(died.values())), ", ".join(f"{who} {n}" for who, n in died.most_common()))
    for what, which in found.items():
        table.add_row(what, str(len(which)), ", ".join(map(str, which)))
    return table


def main(argv: list[str] | None = None) -> int:
    """Backfill, kill, compare and print; 1 if a round was lost, doubled or differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=26)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    console = Console(width=120)
    kills = draw(arguments.kills, arguments.rounds, arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        federations = january_federation(Path(name) / "federations")
        with fresh_stack(federations=federations, producer_source="la_haute_borne --to 2014-09-01T00:00:00Z") as stack:
            stack.up()
            farm = Farm(stack)
            farm.replay()
            farm.initialise()
            farm.runs.unpause(farm.dag_id)
            died = backfilled(farm, kills, arguments.rounds, console)
            chain = farm.chain()
            readings = pq.read_table(ensure_readings(stack.settings.tools / "cache"))
            undisturbed = undisturbed_digests(farm.federation, readings, arguments.rounds, Path(name) / "undisturbed")
    console.print(shown(died, chain, undisturbed))
    same = [row.digest for row in chain] == undisturbed
    console.print(f"The chain is {'' if same else 'NOT '}that of an undisturbed run")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
