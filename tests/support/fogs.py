"""Stand-ins for fogs in tests of the cloud's side: they publish real blocks and manifests to the real broker."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fogline.blocks import encode, vector_digest
from fogline.kafka.clients import ClientConfig
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import MODEL_UPDATES, MODEL_WEIGHTS, N_WEIGHTS_PARTITIONS
from fogline.kafka.vectors import send_vector
from fogline.messages.answer import Answer, Layer, SensorDay
from fogline.messages.plan import Plan
from fogline.messages.weights import BlockedVector, BlockLocation
from fogline.network import Network
from fogline.sums import Moments, ScoreSums


def layers_of(plan: Plan) -> tuple[Layer, ...]:
    """Return the layers of a plan's model, as a fog declares them."""
    network = Network(len(plan.specification.features), plan.specification.model)
    return tuple(Layer(name=name, shape=shape) for name, shape in network.layer_names())


def readings_of(plan: Plan, fog: str, n_readings: int) -> tuple[SensorDay, ...]:
    """Return one day of a fog's first sensor with that many readings."""
    sensor = plan.specification.fogs[fog].sensors[0] if fog in plan.specification.fogs else "s"
    date: dt.date = plan.window.start.date()
    return (SensorDay(sensor_id=sensor, date=date, n_readings=n_readings, sha256="0" * 64),)


def update_of(plan: Plan, fog: str, vector: BlockedVector, n_examples: int) -> dict[str, Any]:
    """Return the content of a sound update."""
    readings = readings_of(plan, fog, n_examples)
    return {"kind": "update", "weights": vector, "layers": layers_of(plan), "n_examples": n_examples,
            "readings": readings}  # fmt: skip


def statistics_of(plan: Plan, values: npt.ArrayLike) -> dict[str, Any]:
    """Return the same moments for every column."""
    moments = Moments.of(np.asarray(values, np.float64))
    columns = [*plan.specification.features, plan.specification.target.name]
    return {"kind": "statistics", "statistics": dict.fromkeys(columns, moments), "n_examples": moments.n}


def scores_of(errors: dict[str, float]) -> dict[str, Any]:
    """Return the score of one row for each model: its error."""
    scores = {name: ScoreSums.of(np.array([error]), np.array([1.0])) for name, error in errors.items()}
    return {"kind": "scores", "scores": scores, "n_examples": 1}


def answer_of(plan: Plan, sender: str, /, **values: Any) -> Answer:
    """Return a manifest."""
    common = {"plan_id": plan.plan_id, "fog": sender, "specification_sha256": plan.specification_sha256}
    return Answer(**{**common, **values})


class FogStandIn:
    """Answers plans as a fog would, with what the test says."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        self.name = name
        # The client's own limit is below the broker's, and a test sends what is between them.
        self.publisher = Publisher({"bootstrap.servers": bootstrap_servers, "message.max.bytes": "2000000"})

    def update(self, plan: Plan, weights: npt.ArrayLike, n_examples: int, **changes: Any) -> Answer:
        """Send blocks and manifest of an update."""
        key = f"{plan.plan_id}/{self.name}"
        vector = send_vector(self.publisher, MODEL_WEIGHTS, key, np.asarray(weights, np.float32), N_WEIGHTS_PARTITIONS)
        return self.answer(plan, **{**update_of(plan, self.name, vector, n_examples), **changes})

    def statistics(self, plan: Plan, values: npt.ArrayLike) -> Answer:
        """Send the same moments for every column."""
        return self.answer(plan, **statistics_of(plan, values))

    def scores(self, plan: Plan, errors: dict[str, float]) -> Answer:
        """Send the score of one row for each model: its error."""
        return self.answer(plan, **scores_of(errors))

    def answer(self, plan: Plan, **values: Any) -> Answer:
        """Send a manifest."""
        answer = answer_of(plan, self.name, **values)
        self.send(answer.to_bytes())
        return answer

    def send(self, value: bytes, key: str | None = None) -> None:
        """Send any bytes as if they were an answer, under the fog's own key unless another is given."""
        self.publisher.publish([Record(MODEL_UPDATES, self.name if key is None else key, value)])


class Crowd:
    """Stand-ins for all members of a plan at once: many records a call, so that many fogs answer within one poll."""

    def __init__(self, config: ClientConfig) -> None:
        self._publisher = Publisher(config, idempotent=True)

    def update(self, plan: Plan, seed: int) -> None:
        """Have each member send weights of its own, small enough for one block."""
        network = Network(len(plan.specification.features), plan.specification.model)
        drawn = np.random.default_rng(seed).normal(size=(len(plan.members), network.n_parameters)).astype(np.float32)
        vectors = dict(zip(plan.members, drawn, strict=True))
        blocks = {fog: encode(vector)[0] for fog, vector in vectors.items()}
        delivered = self._publisher.publish(
            [Record(MODEL_WEIGHTS, f"{plan.plan_id}/{fog}/0", data, 0) for fog, data in blocks.items()]
        )
        answers: dict[str, dict[str, Any]] = {}
        for n_examples, ((fog, data), where) in enumerate(zip(blocks.items(), delivered, strict=True), start=1):
            digest = vector_digest(vectors[fog])
            block = BlockLocation(partition=0, offset=where.offset, n_bytes=len(data), sha256=digest)
            vector = BlockedVector(topic=MODEL_WEIGHTS, n_parameters=len(data) // 4, digest=digest, blocks=(block,))
            answers[fog] = update_of(plan, fog, vector, n_examples)
        self.answer(plan, answers)

    def answer(self, plan: Plan, answers: Mapping[str, dict[str, Any]]) -> None:
        """Send one manifest a fog."""
        manifests = {fog: answer_of(plan, fog, **content).to_bytes() for fog, content in answers.items()}
        self._publisher.publish([Record(MODEL_UPDATES, fog, value) for fog, value in manifests.items()])
