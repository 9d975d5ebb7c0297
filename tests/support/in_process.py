"""A federation whose fogs are called instead of asked: what an undisturbed run must give, to the byte."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fogline.blocks import Vector, vector_digest
from fogline.federation import Federation, Specification
from fogline.messages.plan import EventTimeSpan, ModelReference, Plan
from fogline.messages.seal import Seal
from fogline.messages.weights import BlockedVector, BlockLocation
from fogline.model import GlobalModel
from fogline.rounds.intervals import interval_at, training_window
from fogline.steps.initialise import first_model
from fogline.sums import ScoreSums
from spark_jobs.aggregation.rules import RULES
from spark_jobs.fog.answer import Answerer
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.unused import UnusedRecords

Stores = dict[str, tuple[ReadingStore, UnusedRecords]]


class InProcess:
    """A federation whose fogs are called instead of asked."""

    def __init__(self, federation: Federation, stores: Stores) -> None:
        self.federation = federation
        self.specification: Specification = federation.specification()
        self._vectors: dict[str, Vector] = {}
        self._fogs = {
            fog: Answerer(self.specification, fog, *stored, lambda weights: self._vectors[weights.digest])
            for fog, stored in stores.items()
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


def fill_stores(federation: Federation, readings: pa.Table, folder: Path) -> Stores:
    """Give each fog its own readings, by the federation's ranges, as ingest does."""
    table = readings.append_column("kafka_partition", pa.array(np.zeros(len(readings), np.int32)))
    table = table.append_column("kafka_offset", pa.array(np.arange(len(readings), dtype=np.int64)))
    for name, rule in federation.fields.items():
        in_range = pc.and_(pc.greater_equal(table[name], rule.min), pc.less_equal(table[name], rule.max))
        table = table.filter(pc.fill_null(in_range, True))
    stores: Stores = {}
    for fog, settings in federation.fogs.items():
        own = table.filter(pc.is_in(table["sensor_id"], pa.array(settings.sensors)))
        store = ReadingStore(folder / fog, federation.fields, federation.lateness)
        store.write("all", own)
        stores[fog] = (store, UnusedRecords(folder / f"{fog} unused", federation.lateness))
    return stores


def undisturbed_digests(federation: Federation, readings: pa.Table, n_rounds: int, folder: Path) -> list[str]:
    """Return the digests of version 0 and of as many rounds, as an undisturbed run makes them."""
    farm = InProcess(federation, fill_stores(federation, readings, folder))
    first = farm.initialise()
    vectors = [first.parameters]
    for index in range(n_rounds):
        vectors.append(farm.round(first, vectors[-1], index))
    return [vector_digest(vector) for vector in vectors]
