"""Answers a plan from readings: the same plan over the same readings gives the same bytes."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fogline.blocks import Vector
from fogline.federation.settings import Specification
from fogline.holdout import held_out_dates
from fogline.messages.answer import Answer, Layer
from fogline.messages.plan import EventTimeSpan, Plan
from fogline.messages.weights import BlockedVector
from fogline.network import Network
from fogline.sums import Moments
from spark_jobs.fog.checks import check_classes, check_size, check_specification, scaler_of
from spark_jobs.fog.dated_files import within
from spark_jobs.fog.errors import Decline, PlanDeclined
from spark_jobs.fog.examples import Rows, rows_of
from spark_jobs.fog.platform import this_platform
from spark_jobs.fog.scoring import score
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.training import round_seed, train
from spark_jobs.fog.unused import UnusedRecords
from spark_jobs.fog.window import TrainingWindow

DAY = dt.timedelta(days=1)
# Fogs that compute at once in one process only take Python's lock from each other: four took three times as long.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Computed:
    """An answer; ``weights`` are still to be published and then named in it, ``cause`` is that of a decline."""

    answer: Answer
    weights: Vector | None = None
    cause: Decline | None = None


class Answerer:
    """Computes a fog's answers.

    Parameters
    ----------
    own
        What the fog's own file says.
    fetch
        Gets a model's parameters.
    """

    def __init__(
        self,
        own: Specification,
        fog: str,
        store: ReadingStore,
        unused: UnusedRecords,
        fetch: Callable[[BlockedVector], Vector],
    ) -> None:
        self._own, self._fog, self._fetch = own, fog, fetch
        self._store, self._unused = store, unused

    def answer(self, plan: Plan, silent_sensors: tuple[str, ...]) -> Computed:
        """Answer a plan.

        Raises
        ------
        PlanDeclined
            The plan can't be answered; the message says why.
        """
        check_specification(plan, self._own, self._fog)
        models = {model.name: self._fetch(model.weights) for model in plan.models}
        with _one_at_a_time:
            content, weights = self._compute(plan, models)
        content |= {"silent_sensors": silent_sensors, "platform": this_platform()}
        return Computed(self._named(plan, content), weights)

    def decline(self, plan: Plan, reason: str, silent_sensors: tuple[str, ...]) -> Answer:
        """Return the answer that says why there is none."""
        return self._named(plan, {"kind": "decline", "reason": reason, "silent_sensors": silent_sensors})

    def _compute(self, plan: Plan, models: Mapping[str, Vector]) -> tuple[dict[str, Any], Vector | None]:
        started = time.perf_counter()
        stored = self._store.read_with_places(self._spans(plan))
        read = time.perf_counter()
        rows = rows_of(self._store.without_places(stored), plan.specification).within(plan.window)
        weights = None
        if plan.kind == "train":
            kept = within(stored, plan.window)
            readings, unused = self._store.without_places(kept), self._unused.read([plan.window])
            sensors = self._own.fogs[self._fog].sensors
            window = TrainingWindow.of(plan, sensors, kept, readings, rows, unused)
            content, weights = self._train(plan, models, window)
        elif plan.measure == "statistics":
            content = _statistics(plan, rows)
        else:
            content = _scores(plan, models, rows)
        return content | {"read_s": read - started, "compute_s": time.perf_counter() - read}, weights

    def _named(self, plan: Plan, content: dict[str, Any]) -> Answer:
        return Answer(plan_id=plan.plan_id, fog=self._fog, specification_sha256=plan.specification_sha256, **content)

    def _spans(self, plan: Plan) -> list[EventTimeSpan]:
        look_back, end = plan.specification.look_back, plan.window.end
        if plan.rows != "held_out":
            return [EventTimeSpan(start=plan.window.start - look_back, end=end)]
        # A long window has few held-out days; the others need not be read.
        seed, share = plan.specification.seed, plan.specification.held_out_share
        dates = {
            date
            for sensor in self._own.fogs[self._fog].sensors
            for date in held_out_dates(seed, sensor, plan.window.start.date(), (end + DAY).date(), share)
        }
        midnights = [dt.datetime.combine(date, dt.time(), dt.UTC) for date in sorted(dates)]
        return [EventTimeSpan(start=at - look_back, end=min(at + DAY, end)) for at in midnights if at < end]

    def _train(self, plan: Plan, models: Mapping[str, Vector], window: TrainingWindow) -> tuple[dict[str, Any], Vector]:
        specification, scaler = plan.specification, scaler_of(plan)
        if plan.interval is None or "base" not in models:
            raise PlanDeclined(Decline.WRONG_PLAN, "the train plan names no interval or no base; announce it again")
        network = Network(len(specification.features), specification.model)
        check_size("base", models["base"], network)
        base = models["base"].astype(np.float64)
        labelled = window.rows.with_target()
        check_classes(specification, labelled.target)
        # Test, then train: the base has never seen the new interval.
        base_scores = score(network, base, scaler, labelled.within(plan.interval))
        examples = window.examples()
        inputs, target = scaler.scale_inputs(examples.columns), scaler.scale_target(examples.target)
        seed = round_seed(specification.seed, plan.interval.index, self._fog)
        weights = _to_float32(train(network, base, inputs, target, specification.training, seed), specification)
        content = {
            "kind": "update",
            "n_examples": len(examples),
            "layers": tuple(Layer(name=name, shape=shape) for name, shape in network.layer_names()),
            "update_norm_l2": float(np.linalg.norm(weights.astype(np.float64) - base)),
            "base_scores": base_scores,
            **window.manifest(),
        }
        return content, weights


def _scores(plan: Plan, models: Mapping[str, Vector], rows: Rows) -> dict[str, Any]:
    scaler, network = scaler_of(plan), Network(len(plan.specification.features), plan.specification.model)
    labelled = _counted(plan, rows).with_target()
    check_classes(plan.specification, labelled.target)
    scores = {}
    for name, vector in models.items():
        check_size(name, vector, network)
        scores[name] = score(network, vector.astype(np.float64), scaler, labelled)
    return {"kind": "scores", "n_examples": len(labelled), "scores": scores}


def _statistics(plan: Plan, rows: Rows) -> dict[str, Any]:
    counted = _counted(plan, rows)
    statistics = {name: Moments.of(column) for name, column in counted.columns.items()}
    return {"kind": "statistics", "n_examples": len(counted), "statistics": statistics}


def _counted(plan: Plan, rows: Rows) -> Rows:
    if plan.rows == "all":
        return rows
    return rows.where(rows.held_out if plan.rows == "held_out" else ~rows.held_out)


def _to_float32(parameters: Any, specification: Specification) -> Vector:
    with np.errstate(over="ignore"):
        weights: Vector = parameters.astype(np.float32)
    if not np.isfinite(weights).all():
        rate = specification.training.learning_rate
        raise PlanDeclined(
            Decline.NOT_FINITE,
            f"training diverged: weights are not finite; lower training.learning_rate (it is {rate:g})",
        )
    return weights
