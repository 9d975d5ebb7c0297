"""Sealed rounds on a real broker, and Spark sessions to aggregate them."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from fogline.artifacts import ArtifactStore
from fogline.blocks import vector_digest
from fogline.federation.settings import Specification
from fogline.kafka.publish import Publisher
from fogline.kafka.topics import MODEL_WEIGHTS, N_WEIGHTS_PARTITIONS, ensure_topics
from fogline.kafka.vectors import send_vector
from fogline.messages.answer import Answer
from fogline.messages.plan import EventTimeSpan, ModelReference, Plan
from fogline.messages.seal import Seal
from fogline.messages.weights import BlockedVector, BlockLocation
from fogline.scaling import Scale, Scaler
from tests.support.fogs import layers_of, readings_of

UTC = dt.UTC


def specification(fogs: list[str], hidden: tuple[int, ...]) -> Specification:
    """A federation with one feature; without hidden layers its model has two parameters."""
    return Specification.model_validate(
        {
            "federation": "farm",
            "start": "2014-01-01T00:00:00Z",
            "interval": "P7D",
            "window": "P28D",
            "fields": {"wind": {"min": 0, "max": 60}},
            "fogs": {fog: {"sensors": [f"sensor-of-{fog}"]} for fog in fogs},
            "features": {"wind_speed": "wind"},
            "target": {"name": "power", "expression": "wind"},
            "model": {"kind": "mlp", "hidden": hidden} if hidden else {"kind": "linear"},
            "training": {"epochs": 1, "batch_size": 1, "learning_rate": 0.1},
        }
    )


class Round:
    """A round under way: send updates, seal it, and read what the aggregation left."""

    def __init__(self, store: ArtifactStore, publisher: Publisher, plan: Plan) -> None:
        self.store = store
        self.publisher = publisher
        self.plan = plan
        self.answers: list[Answer] = []

    def update(self, fog: str, n_examples: int, weights: Any, **changes: Any) -> BlockedVector:
        """Send a fog's blocks and note its manifest, with ``changes`` to what it declares of them."""
        located = send_vector(self.publisher, MODEL_WEIGHTS, fog, weights, N_WEIGHTS_PARTITIONS)
        self.declare(fog, n_examples, located.model_copy(update=changes))
        return located

    def declare(self, fog: str, n_examples: int, weights: BlockedVector | None, **changes: Any) -> None:
        """Note a manifest."""
        answer = Answer(
            kind="update",
            plan_id=self.plan.plan_id,
            fog=fog,
            specification_sha256=self.plan.specification_sha256,
            n_examples=n_examples,
            layers=layers_of(self.plan),
            readings=readings_of(self.plan, fog, n_examples),
            weights=weights,
            update_norm_l2=1.5,
        )
        self.answers.append(answer.model_copy(update=changes))

    def seal(self) -> Seal:
        """Write the seal as collect does."""
        seal = Seal(plan=self.plan, answers=tuple(self.answers))
        self.store.write(f"{self.plan.plan_id}/seal.json", seal.to_bytes())
        return seal


NewRound = Callable[..., Round]


@pytest.fixture
def store(tmp_path: Any) -> ArtifactStore:
    """An empty model store."""
    return ArtifactStore(f"file://{tmp_path}/store")


@pytest.fixture
def new_round(store: ArtifactStore, kafka_config: Mapping[str, str]) -> NewRound:
    """Make rounds of a linear model with two parameters, or of a network with ``hidden`` layers."""

    def make(fogs: list[str], quorum: int = 1, hidden: tuple[int, ...] = ()) -> Round:
        resolved = specification(fogs, hidden)
        base = np.zeros(1, np.float32)
        nowhere = BlockLocation(partition=0, offset=0, n_bytes=4, sha256=vector_digest(base))
        weights = BlockedVector(topic="global-model", n_parameters=1, digest=vector_digest(base), blocks=(nowhere,))
        plan = Plan(
            plan_id="farm/main/7",
            federation="farm",
            branch="main",
            purpose="round/main/train",
            kind="train",
            window=EventTimeSpan(start=dt.datetime(2014, 1, 1, tzinfo=UTC), end=dt.datetime(2014, 1, 29, tzinfo=UTC)),
            members=tuple(fogs),
            quorum=quorum,
            grace_s=1,
            deadline_s=60,
            train_by_share=0.5,
            head_no=1,
            models=(ModelReference(name="base", version="main@0", weights=weights),),
            scaler=Scaler(features={"wind_speed": Scale(mean=8, sd=4)}, target=Scale(mean=300, sd=200)),
            specification=resolved,
            specification_sha256=resolved.sha256(),
        )
        return Round(store, Publisher(kafka_config), plan)

    return make


@pytest.fixture(scope="session")
def kafka_config(kafka: str) -> dict[str, str]:
    """A client configuration for the session's broker, which has the declared topics."""
    ensure_topics(kafka)
    return {"bootstrap.servers": kafka}
