"""The whole crash matrix: kill -9 of everybody at every step, a round each, and the chain compared to the byte.

``./fogline run python benchmarks/crash_matrix.py`` starts a stack of its own on free ports and takes it down again. The
tests run a fixed part of the same matrix (`tests.support.crashes.subset`).
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from fogline.stack.errors import StackError
from producer.sources.la_haute_borne import ensure_readings
from tests.support.crashes import Armory, Crash, Recovery, armed_environment, matrix, round_with
from tests.support.farm import Farm
from tests.support.in_process import undisturbed_digests
from tests.support.stacks import fresh_stack, january_federation

# One weekly interval for each crash of the matrix, and some to spare.
READINGS = "la_haute_borne --to 2015-06-01T00:00:00Z"


def shown(recoveries: list[Recovery], digests: list[str], undisturbed: list[str]) -> Table:
    """Lay out one row per crash."""
    table = Table("interval", "who died", "where", "run", "wall s", "digest")
    for index, one in enumerate(recoveries):
        same = len(digests) > index + 1 and digests[index + 1] == undisturbed[index + 1]
        words = "as undisturbed" if same else "DIFFERS"
        table.add_row(str(index), one.crash.victim, one.crash.point, one.state, f"{one.wall_s:.0f}", words)
    return table


def struck(farm: Farm, armory: Armory, crashes: list[Crash], console: Console) -> list[Recovery]:
    """Run a round with each crash; end with the first that does not recover, for the next ones would wait for it."""
    recoveries: list[Recovery] = []
    for crash in crashes:
        began = time.monotonic()
        try:
            one = round_with(farm, armory, crash)
        except (StackError, AssertionError) as error:
            one = Recovery(crash, "", str(error).splitlines()[0], time.monotonic() - began)
        console.print(f"{crash}: {one.state} after {one.wall_s:.0f} s")
        recoveries.append(one)
        if one.state != "success":
            break
    return recoveries


def main(argv: list[str] | None = None) -> int:
    """Run every crash and print the table; 1 if a round did not recover or the chain differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only crashes with these words in their name, as 'at: publish'")
    arguments = parser.parse_args(argv)
    crashes = [crash for crash in matrix() if arguments.only in str(crash)]
    console = Console(width=130)
    with tempfile.TemporaryDirectory() as name:
        federations = january_federation(Path(name) / "federations")
        with (
            armed_environment(Path(name) / "killpoints") as armory,
            fresh_stack(federations=federations, producer_source=READINGS) as stack,
        ):
            stack.up()
            farm = Farm(stack)
            farm.replay()
            farm.initialise()
            farm.runs.unpause(farm.dag_id)
            recoveries = struck(farm, armory, crashes, console)
            digests = [row.digest for row in farm.chain()]
            readings = pq.read_table(ensure_readings(stack.settings.tools / "cache"))
            undisturbed = undisturbed_digests(farm.federation, readings, len(recoveries), Path(name) / "undisturbed")
    console.print(shown(recoveries, digests, undisturbed))
    is_right = digests == undisturbed and all(one.state == "success" for one in recoveries)
    found = "that of an undisturbed run" if is_right else "NOT as it must be"
    console.print(f"{len(recoveries)} of {len(crashes)} crashes; the chain is {found}")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
