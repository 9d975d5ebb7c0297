"""Stand-ins for fogs in tests of the cloud's side: they publish real blocks and manifests to the real broker."""

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt

from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import MODEL_UPDATES, MODEL_WEIGHTS, N_WEIGHTS_PARTITIONS
from fogline.kafka.vectors import send_vector
from fogline.messages.answer import Answer, Layer, SensorDay
from fogline.messages.plan import Plan
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


class FogStandIn:
    """Answers plans as a fog would, with what the test says."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        self.name = name
        self._publisher = Publisher({"bootstrap.servers": bootstrap_servers})

    def update(self, plan: Plan, weights: npt.ArrayLike, n_examples: int, **changes: Any) -> Answer:
        """Send blocks and manifest of an update."""
        key = f"{plan.plan_id}/{self.name}"
        vector = send_vector(self._publisher, MODEL_WEIGHTS, key, np.asarray(weights, np.float32), N_WEIGHTS_PARTITIONS)
        readings = readings_of(plan, self.name, n_examples)
        content = {"weights": vector, "layers": layers_of(plan), "n_examples": n_examples, "readings": readings}
        return self.answer(plan, kind="update", **{**content, **changes})

    def statistics(self, plan: Plan, values: npt.ArrayLike) -> Answer:
        """Send the same moments for every column."""
        moments = Moments.of(np.asarray(values, np.float64))
        columns = [*plan.specification.features, plan.specification.target.name]
        return self.answer(plan, kind="statistics", statistics=dict.fromkeys(columns, moments), n_examples=moments.n)

    def scores(self, plan: Plan, errors: dict[str, float]) -> Answer:
        """Send the score of one row for each model: its error."""
        scores = {name: ScoreSums.of(np.array([error]), np.array([1.0])) for name, error in errors.items()}
        return self.answer(plan, kind="scores", scores=scores, n_examples=1)

    def answer(self, plan: Plan, **values: Any) -> Answer:
        """Send a manifest."""
        answer = Answer(
            **{
                "plan_id": plan.plan_id,
                "fog": self.name,
                "specification_sha256": plan.specification_sha256,
                **values,
            }
        )
        self.send(answer.to_bytes())
        return answer

    def send(self, value: bytes) -> None:
        """Send any bytes as if they were an answer."""
        self._publisher.publish([Record(MODEL_UPDATES, self.name, value)])
