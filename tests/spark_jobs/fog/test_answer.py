"""Answers: what they count, what they decline, and that they are the same for the same readings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fogline.blocks import Vector, vector_digest
from fogline.federation import Federation
from fogline.messages.answer import Answer
from fogline.messages.plan import Interval, ModelReference, Plan
from fogline.messages.weights import BlockedVector, BlockLocation
from fogline.scaling import Scale, Scaler
from spark_jobs.fog.answer import Answerer, Computed
from spark_jobs.fog.errors import PlanDeclined
from spark_jobs.fog.store import ReadingStore
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import at, line, readings, span, unit_scaler
from tests.support.plans import measure_plan, train_plan

ZEROS = np.zeros(2, np.float32)
RIGHT = np.array([2, 1], np.float32)


class Models:
    """Models by digest, as if they lay on Kafka."""

    def __init__(self) -> None:
        self.vectors: dict[str, Vector] = {}

    def reference(self, name: str, vector: Vector) -> ModelReference:
        digest = vector_digest(vector)
        self.vectors[digest] = vector
        block = BlockLocation(partition=0, offset=0, n_bytes=4 * vector.size, sha256=digest)
        weights = BlockedVector(topic="model-blobs", n_parameters=vector.size, digest=digest, blocks=(block,))
        return ModelReference(name=name, version="main@0", weights=weights)

    def fetch(self, weights: BlockedVector) -> Vector:
        return self.vectors[weights.digest]


@pytest.fixture
def models() -> Models:
    return Models()


def answerer(own: Federation, store: ReadingStore, models: Models, folder: Path) -> Answerer:
    return Answerer(own.specification(), "fog-a", store, made.unused(own, folder), models.fetch)


def filled(own: Federation, folder: Path) -> ReadingStore:
    store = made.store(own, folder)
    store.write("c-0", line(own, "s1", 0, 10))
    store.write("c-1", line(own, "s3", 0, 10))
    return store


def to_train(own: Federation, known: Models, base: Vector = ZEROS, **changes: Any) -> Plan:
    values = {
        "interval": Interval(index=3, start=at(3), end=at(4)),
        "window": span(2, 4),
        "models": (known.reference("base", base),),
        "scaler": unit_scaler(),
    }
    return train_plan(own, **{**values, **changes})


def to_score(own: Federation, *references: ModelReference, **changes: Any) -> Plan:
    values = {"measure": "scores", "models": references, "scaler": unit_scaler(), "window": span(0, 10)}
    return measure_plan(own, **{**values, **changes})


def comparable(computed: Computed) -> tuple[Answer, bytes | None]:
    answer = computed.answer.model_copy(update={"read_s": 0.0, "compute_s": 0.0})
    return answer, computed.weights.tobytes() if computed.weights is not None else None


def test_an_update_counts_what_it_was_trained_on(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path, training={"epochs": 30, "batch_size": 8, "learning_rate": 0.1})
    computed = answerer(own, filled(own, tmp_path), models, tmp_path).answer(to_train(own, models), ("s3",))
    answer = computed.answer
    assert (answer.kind, answer.n_examples, answer.silent_sensors) == ("update", 96, ("s3",))
    assert computed.weights is not None
    np.testing.assert_allclose(computed.weights, RIGHT, atol=1e-3)
    assert answer.update_norm_l2 == pytest.approx(np.linalg.norm(computed.weights.astype(np.float64)))
    assert [(day.sensor_id, str(day.date), day.n_readings) for day in answer.readings] == [
        ("s1", "2024-01-03", 24),
        ("s1", "2024-01-04", 24),
        ("s3", "2024-01-03", 24),
        ("s3", "2024-01-04", 24),
    ]


def test_the_base_is_scored_on_the_interval_before_training(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    store = filled(own, tmp_path)
    scores = answerer(own, store, models, tmp_path).answer(to_train(own, models), ()).answer.base_scores
    y = np.asarray(store.read([span(3, 4)])["y"])
    assert scores is not None
    assert scores.n == 48
    assert scores.sum_error2 == pytest.approx((y * y).sum())


def test_the_same_readings_give_the_same_bytes_in_whatever_batches_they_came(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    plan = to_train(own, models)
    one = answerer(own, filled(own, tmp_path / "one"), models, tmp_path)
    other_store = made.store(own, tmp_path / "other")
    s1, s3 = line(own, "s1", 0, 10), line(own, "s3", 0, 10)
    for number, part in enumerate((s3.slice(100), s1, s3.slice(0, 120), s1.slice(7, 50))):
        other_store.write(f"c-{number}", part)
    other_store.tidy(at(9))
    other = answerer(own, other_store, models, tmp_path)
    assert comparable(one.answer(plan, ())) == comparable(one.answer(plan, ())) == comparable(other.answer(plan, ()))


def test_held_out_days_are_scored_and_never_trained_on(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path, held_out_share=0.4)
    fog = answerer(own, filled(own, tmp_path), models, tmp_path)
    base = models.reference("base", ZEROS)

    def n_scored(rows: str) -> int:
        return fog.answer(to_score(own, base, rows=rows), ()).answer.scores["base"].n

    trained = fog.answer(to_train(own, models, window=span(0, 10)), ()).answer
    assert n_scored("all") == 480
    assert 0 < n_scored("held_out") < 480
    assert n_scored("training") == 480 - n_scored("held_out") == trained.n_examples


def test_held_out_rows_are_the_same_whether_their_days_alone_are_read_or_all(tmp_path: Path, models: Models) -> None:
    frame = "RANGE BETWEEN INTERVAL 6 HOURS PRECEDING AND CURRENT ROW"
    earlier = f"avg(x) OVER (PARTITION BY sensor_id ORDER BY event_time {frame})"
    own = made.federation(tmp_path, held_out_share=0.4, look_back="PT6H", features={"x": earlier})
    fog = answerer(own, filled(own, tmp_path), models, tmp_path)
    right = models.reference("base", RIGHT)
    sums = {
        rows: fog.answer(to_score(own, right, rows=rows), ()).answer.scores["base"]
        for rows in ("all", "training", "held_out")
    }
    assert sums["held_out"].n > 0
    assert sums["held_out"].sum_error2 + sums["training"].sum_error2 == pytest.approx(sums["all"].sum_error2)


def test_every_model_of_the_plan_is_scored(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    plan = to_score(own, models.reference("base", ZEROS), models.reference("candidate", RIGHT))
    scores = answerer(own, filled(own, tmp_path), models, tmp_path).answer(plan, ()).answer.scores
    assert scores["candidate"].rmse == pytest.approx(0, abs=1e-6)
    assert scores["base"].rmse is not None
    assert scores["base"].rmse > 1


def test_scores_are_in_the_targets_own_unit(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    scaler = Scaler(features={"x": Scale(mean=0, sd=1)}, target=Scale(mean=1.0, sd=2.0))
    plan = to_score(own, models.reference("base", np.array([1, 0], np.float32)), scaler=scaler)
    scores = answerer(own, filled(own, tmp_path), models, tmp_path).answer(plan, ()).answer.scores
    assert scores["base"].rmse == pytest.approx(0, abs=1e-6)


def test_no_rows_to_score_are_an_answer(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    plan = to_score(own, models.reference("base", ZEROS))
    answer = answerer(own, made.store(own, tmp_path), models, tmp_path).answer(plan, ()).answer
    assert (answer.kind, answer.n_examples, answer.scores["base"].n) == ("scores", 0, 0)


def test_statistics_are_of_features_and_target(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    store = made.store(own, tmp_path)
    store.write("c-0", readings(own, "s1", [0.1, 0.2, 0.3], [1.0, 3.0, None]))
    answer = answerer(own, store, models, tmp_path).answer(measure_plan(own), ()).answer
    assert (answer.kind, answer.n_examples) == ("statistics", 3)
    assert set(answer.statistics) == {"x", "y"}
    x, y = answer.statistics["x"], answer.statistics["y"]
    assert (x.n, x.mean, x.m2, x.n_missing) == (2, 2.0, 2.0, 1)
    assert (y.n, y.mean, y.m2, y.n_missing) == (2, 5.0, 8.0, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"window": span(30, 31)}, r"^no readings from 2024-01-31 00:00 to 2024-02-01 00:00 UTC of s1, s3$"),
        ({"interval": None}, "no interval"),
        ({"models": ()}, "no base"),
        ({"scaler": None}, "scaler"),
        ({"specification_sha256": "0" * 64}, "^spec_mismatch: the specification's hash"),
    ],
)
def test_a_plan_that_cannot_be_answered_is_declined_with_the_reason(
    tmp_path: Path, models: Models, changes: dict[str, Any], reason: str
) -> None:
    own = made.federation(tmp_path)
    with pytest.raises(PlanDeclined, match=reason):
        answerer(own, filled(own, tmp_path), models, tmp_path).answer(to_train(own, models, **changes), ())


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ({"fields": {"x": {"min": -9, "max": 10}, "y": {"min": -100, "max": 100}}}, "spec_mismatch: fields.x"),
        ({"fogs": {"fog-a": {"sensors": ["s1"]}, "fog-b": {"sensors": ["s2"]}}}, "spec_mismatch: fogs.fog-a.sensors"),
        ({"fogs": {"fog-b": {"sensors": ["s2"]}}}, "spec_mismatch: fogs.fog-a.sensors"),
    ],
)
def test_another_view_of_the_readings_is_declined(
    tmp_path: Path, models: Models, theirs: dict[str, Any], reason: str
) -> None:
    own = made.federation(tmp_path)
    (tmp_path / "cloud").mkdir()
    cloud = made.federation(tmp_path / "cloud", **theirs)
    with pytest.raises(PlanDeclined, match=reason):
        answerer(own, filled(own, tmp_path), models, tmp_path).answer(to_train(cloud, models, members=("fog-a",)), ())


def test_how_the_cloud_trains_is_the_clouds_to_change(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    (tmp_path / "cloud").mkdir()
    cloud = made.federation(tmp_path / "cloud", training={"epochs": 2, "batch_size": 4, "learning_rate": 0.01}, seed=9)
    assert (
        answerer(own, filled(own, tmp_path), models, tmp_path).answer(to_train(cloud, models), ()).answer.kind
        == "update"
    )


def test_readings_on_held_out_days_alone_are_declined(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path, held_out_share=0.999999)
    with pytest.raises(PlanDeclined, match=r"all 96 readings .* lie on held-out days"):
        answerer(own, filled(own, tmp_path), models, tmp_path).answer(to_train(own, models), ())


def test_training_that_diverges_is_declined_with_the_remedy(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path, training={"epochs": 500, "batch_size": 8, "learning_rate": 50.0})
    with pytest.raises(PlanDeclined, match=r"training diverged: .*; lower training\.learning_rate"):
        answerer(own, filled(own, tmp_path), models, tmp_path).answer(to_train(own, models), ())


def test_a_model_of_another_size_is_declined(tmp_path: Path, models: Models) -> None:
    own = made.federation(tmp_path)
    plan = to_train(own, models, base=np.zeros(3, np.float32))
    with pytest.raises(PlanDeclined, match="base has 3 parameters, the network 2"):
        answerer(own, filled(own, tmp_path), models, tmp_path).answer(plan, ())


def test_a_target_that_is_no_class_is_declined(tmp_path: Path, models: Models) -> None:
    own = made.federation(
        tmp_path,
        model={"kind": "logistic", "task": "classification", "n_classes": 2},
        target={"name": "y", "expression": "CASE WHEN x > 0 THEN 2 ELSE 0 END"},
    )
    plan = to_train(own, models, base=np.zeros(4, np.float32))
    with pytest.raises(PlanDeclined, match=r"target\.expression: 2 is no class; classes are 0 to 1"):
        answerer(own, filled(own, tmp_path), models, tmp_path).answer(plan, ())


def test_a_classs_error_is_right_or_wrong(tmp_path: Path, models: Models) -> None:
    own = made.federation(
        tmp_path,
        model={"kind": "logistic", "task": "classification", "n_classes": 2},
        target={"name": "y", "expression": "CASE WHEN x > 0 THEN 1 ELSE 0 END"},
        training={"epochs": 200, "batch_size": 8, "learning_rate": 1.0},
    )
    fog = answerer(own, filled(own, tmp_path), models, tmp_path)
    scaler = Scaler(features={"x": Scale(mean=0, sd=1)}, target=None)
    trained = fog.answer(to_train(own, models, base=np.zeros(4, np.float32), scaler=scaler), ())
    assert trained.weights is not None
    plan = to_score(own, models.reference("base", trained.weights), scaler=scaler)
    scores = fog.answer(plan, ()).answer.scores["base"]
    assert scores.accuracy is not None
    assert scores.accuracy > 0.97
