"""A fog's answer to a plan: an update, named sums, or a decline with its reason."""

import datetime as dt
from typing import Literal

from pydantic import Field

from fogline.messages.account import ReadingAccount, SensorFlag
from fogline.messages.base import Message
from fogline.messages.weights import BlockedVector
from fogline.sums import Moments, ScoreSums


class SensorDay(Message):
    """What an answer was computed from, for one sensor and UTC day, so that a difference can be explained."""

    sensor_id: str
    date: dt.date
    n_readings: int = Field(ge=0)
    sha256: str


class Layer(Message):
    """One tensor of an update, as it lies in the flat vector."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"


class Platform(Message):
    """What decides the last bits of floating-point results."""

    machine: str
    cpu_kernel: str
    python: str
    numpy: str
    blas: str
    pyarrow: str
    duckdb: str


class Answer(Message):
    """One manifest on ``model-updates``.

    ``update`` answers a train plan: weights with their layers in order, ``n_examples`` trained on, the norm of the
    change, the base's score on the new interval (test, then train), and what became of the window's readings.
    ``scores`` and ``statistics`` answer a measure plan. ``decline`` says why not.
    """

    kind: Literal["update", "scores", "statistics", "decline"]
    plan_id: str
    fog: str
    specification_sha256: str
    n_examples: int = Field(default=0, ge=0)
    layers: tuple[Layer, ...] = ()
    weights: BlockedVector | None = None
    update_norm_l2: float | None = None
    base_scores: ScoreSums | None = None
    scores: dict[str, ScoreSums] = Field(default_factory=dict)
    statistics: dict[str, Moments] = Field(default_factory=dict)
    reason: str | None = None
    silent_sensors: tuple[str, ...] = ()
    readings: tuple[SensorDay, ...] = ()
    account: ReadingAccount | None = None
    flags: tuple[SensorFlag, ...] = ()
    platform: Platform | None = None
    read_s: float = 0.0
    compute_s: float = 0.0
