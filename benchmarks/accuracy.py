"""The wind farm's accuracy over several seeds, by the fogs' and the aggregation's own code in one process.

``./fogline run python benchmarks/accuracy.py --seeds 5``: no Kafka, Spark or Airflow take part, so five federations of
52 weekly rounds take minutes. The models are those of the real stack, to the byte: the digest printed for a seed is the
one that `./fogline demo --rounds 52` publishes with that seed in the federation file.
"""

import argparse
import datetime as dt
import os
import statistics
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from fogline.blocks import vector_digest
from fogline.federation import Federation, federation_file, load_federation
from fogline.messages.plan import EventTimeSpan
from fogline.sums import ScoreSums
from producer.sources.la_haute_borne import ensure_readings
from tests.support.in_process import InProcess, Stores, fill_stores

N_ROUNDS = 52
SHOWN = (1, 4, 12, 26, N_ROUNDS)


def run(federation: Federation, stores: Stores, n_rounds: int) -> tuple[dict[int, ScoreSums], str]:
    """Run rounds; return the scores on all of 2015 after some of them, and the last model's digest."""
    farm = InProcess(federation, stores)
    first = farm.initialise()
    end = federation.initialise.window_end
    next_year = EventTimeSpan(start=end, end=end + dt.timedelta(days=365))
    parameters, scores = first.parameters, {}
    for number in range(1, n_rounds + 1):
        parameters = farm.round(first, parameters, number - 1)
        if number in (*SHOWN, n_rounds):
            scores[number] = farm.score(first, parameters, next_year)
    return scores, vector_digest(parameters)


def main(argv: list[str] | None = None) -> int:
    """Print a row per seed, then the mean and the worst."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="federation seeds 0 … N-1 (default 5)")
    parser.add_argument("--rounds", type=int, default=N_ROUNDS)
    arguments = parser.parse_args(argv)
    federation = load_federation(federation_file("wind_farm"))
    readings = pq.read_table(ensure_readings(Path(os.environ["FOGLINE_CACHE"])))
    shown = [number for number in (*SHOWN,) if number <= arguments.rounds]
    table = Table("seed", *(f"RMSE kW (R²) after {number}" for number in shown), "digest")
    last = []
    with tempfile.TemporaryDirectory() as folder:
        stores = fill_stores(federation, readings, Path(folder))
        for seed in range(arguments.seeds):
            scores, digest = run(federation.model_copy(update={"seed": seed}), stores, arguments.rounds)
            last.append(scores[max(scores)].rmse or 0.0)
            cells = [f"{scores[number].rmse:.1f} ({scores[number].r2:.4f})" for number in shown]
            table.add_row(str(seed), *cells, digest[:12])
    Console(width=140).print(table)
    print(f"RMSE after {arguments.rounds} rounds: mean {statistics.mean(last):.2f} kW, worst {max(last):.2f} kW")
    return 0


if __name__ == "__main__":
    sys.exit(main())
