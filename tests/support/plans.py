"""Plans and answers for tests of pure code."""

import datetime as dt
from typing import Any

from fogline.federation import Federation
from fogline.messages.answer import Answer
from fogline.messages.plan import EventTimeSpan, Plan
from fogline.messages.weights import BlockedVector, BlockLocation
from fogline.rounds.intervals import interval_at, training_window
from fogline.rounds.judge import PlanState
from tests.support.fogs import layers_of, readings_of

DIGEST = "0" * 64
DAY = dt.timedelta(days=1)


def train_plan(federation: Federation, index: int = 0, **changes: Any) -> Plan:
    """Return a training plan for an interval."""
    interval = interval_at(federation, index)
    specification = federation.specification()
    values: dict[str, Any] = {
        "plan_id": f"{federation.federation}/main/1",
        "federation": federation.federation,
        "branch": "main",
        "purpose": "round/main/train",
        "kind": "train",
        "interval": interval,
        "window": training_window(federation, interval),
        "members": tuple(federation.fogs),
        "quorum": federation.quorum,
        "grace_s": federation.round.grace_s,
        "deadline_s": federation.round.deadline_s,
        "train_by_share": federation.round.train_by_share,
        "head_no": 1,
        "specification": specification,
        "specification_sha256": specification.sha256(),
    }
    return Plan(**{**values, **changes})


def measure_plan(federation: Federation, **changes: Any) -> Plan:
    """Return a plan that asks for statistics over the first two days."""
    span = EventTimeSpan(start=federation.start, end=federation.start + 2 * DAY)
    asked = {"kind": "measure", "measure": "statistics", "interval": None, "window": span, "purpose": "initialise"}
    return train_plan(federation, **{**asked, **changes})


def plan_state(plan: Plan, **changes: Any) -> PlanState:
    """Return a plan that the broker took at time 1,000,000 ms."""
    return PlanState(**{"plan": plan, "append_time_ms": 1_000_000, **changes})


def some_weights(n_parameters: int = 2, digest: str = DIGEST) -> BlockedVector:
    """Return a vector that lies nowhere."""
    block = BlockLocation(partition=0, offset=0, n_bytes=4 * n_parameters, sha256=digest)
    return BlockedVector(topic="model-weights", n_parameters=n_parameters, digest=digest, blocks=(block,))


def update(plan: Plan, fog: str, **changes: Any) -> Answer:
    """Return a sound update."""
    values: dict[str, Any] = {
        "kind": "update",
        "plan_id": plan.plan_id,
        "fog": fog,
        "specification_sha256": plan.specification_sha256,
        "n_examples": 10,
        "layers": layers_of(plan),
        "readings": readings_of(plan, fog, 10),
        "weights": some_weights(),
    }
    return Answer(**{**values, **changes})
