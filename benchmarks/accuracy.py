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

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from fogline.blocks import Vector, vector_digest
from fogline.federation import Federation, Specification, federation_file, load_federation
from fogline.messages.plan import EventTimeSpan, ModelReference, Plan
from fogline.messages.seal import Seal
from fogline.messages.weights import BlockedVector, BlockLocation
from fogline.model import GlobalModel
from fogline.rounds.intervals import interval_at, training_window
from fogline.steps.initialise import first_model
from fogline.sums import ScoreSums
from producer.sources.la_haute_borne import ensure_readings
from spark_jobs.aggregation.rules import RULES
from spark_jobs.fog.answer import Answerer
from spark_jobs.fog.store import ReadingStore

N_ROUNDS = 52
SHOWN = (1, 4, 12, 26, N_ROUNDS)


class InProcess:
    """A federation whose fogs are called instead of asked."""

    def __init__(self, federation: Federation, stores: dict[str, ReadingStore]) -> None:
        self.federation = federation
        self.specification: Specification = federation.specification()
        self._vectors: dict[str, Vector] = {}
        self._fogs = {
            fog: Answerer(self.specification, fog, store, lambda weights: self._vectors[weights.digest])
            for fog, store in stores.items()
        }

    def initialise(self) -> GlobalModel:
        """Return version 0."""
        window = self.federation.initialise
        span = EventTimeSpan(start=window.window_start, end=window.window_end)
        plan = self._plan(kind="measure", measure="statistics", rows="training", window=span)
        return first_model(
            Seal(plan=plan, answers=tuple(self._fogs[fog].answer(plan, ()).answer for fog in plan.members))
        )

    def round(self, first: GlobalModel, base: Vector, index: int) -> Vector:
        """Return the candidate of a round."""
        interval = interval_at(self.specification, index)
        plan = self._plan(
            kind="train",
            interval=interval,
            window=training_window(self.specification, interval),
            models=(self._named("base", base),),
            scaler=first.scaler,
        )
        computed = [self._fogs[fog].answer(plan, ()) for fog in plan.members]
        updates = np.stack([one.weights for one in computed if one.weights is not None])
        n_examples = np.array([one.answer.n_examples for one in computed], np.int64)
        return RULES[self.specification.strategy.rule](updates, n_examples)

    def score(self, first: GlobalModel, parameters: Vector, span: EventTimeSpan) -> ScoreSums:
        """Return the score on all rows of a window."""
        plan = self._plan(
            kind="measure",
            measure="scores",
            window=span,
            models=(self._named("model", parameters),),
            scaler=first.scaler,
        )
        return ScoreSums.total(self._fogs[fog].answer(plan, ()).answer.scores["model"] for fog in plan.members)

    def _named(self, name: str, parameters: Vector) -> ModelReference:
        digest = vector_digest(parameters)
        self._vectors[digest] = parameters
        block = BlockLocation(partition=0, offset=0, n_bytes=4 * parameters.size, sha256=digest)
        weights = BlockedVector(topic="none", n_parameters=parameters.size, digest=digest, blocks=(block,))
        return ModelReference(name=name, version=None, weights=weights)

    def _plan(self, **changes: object) -> Plan:
        return Plan.model_validate(
            {
                "plan_id": f"{self.specification.federation}/main/1",
                "federation": self.specification.federation,
                "branch": "main",
                "purpose": "benchmark",
                "members": tuple(self.specification.fogs),
                "quorum": self.federation.quorum,
                "grace_s": 0.0,
                "deadline_s": 1.0,
                "train_by_share": 0.5,
                "head_no": 0,
                "specification": self.specification,
                "specification_sha256": self.specification.sha256(),
                **changes,
            }
        )


def fill_stores(federation: Federation, readings: pa.Table, folder: Path) -> dict[str, ReadingStore]:
    """Give each fog its own readings, by the federation's ranges, as ingest does."""
    table = readings.append_column("kafka_partition", pa.array(np.zeros(len(readings), np.int32)))
    table = table.append_column("kafka_offset", pa.array(np.arange(len(readings), dtype=np.int64)))
    for name, rule in federation.fields.items():
        in_range = pc.and_(pc.greater_equal(table[name], rule.min), pc.less_equal(table[name], rule.max))
        table = table.filter(pc.fill_null(in_range, True))
    stores = {}
    for fog, settings in federation.fogs.items():
        own = table.filter(pc.is_in(table["sensor_id"], pa.array(settings.sensors)))
        stores[fog] = ReadingStore(folder / fog, federation.fields, federation.lateness)
        stores[fog].write("all", own)
    return stores


def run(federation: Federation, stores: dict[str, ReadingStore], n_rounds: int) -> tuple[dict[int, ScoreSums], str]:
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
