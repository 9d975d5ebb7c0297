"""A plan: one announcement to the fogs, complete enough that nothing else is needed to answer it."""

import datetime as dt
from typing import Literal

from pydantic import AwareDatetime, Field, field_validator

from fogline.federation.settings import Specification
from fogline.messages.base import Message
from fogline.messages.weights import BlockedVector
from fogline.scaling import Scaler


class EventTimeSpan(Message):
    """A half-open stretch of event time, in UTC."""

    start: AwareDatetime
    end: AwareDatetime

    @field_validator("start", "end")
    @classmethod
    def _in_utc(cls, value: dt.datetime) -> dt.datetime:
        return value.astimezone(dt.UTC)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"


class Interval(EventTimeSpan):
    """The stretch of event time that a round adds; number 0 begins at the federation's start."""

    index: int = Field(ge=0)


class ModelReference(Message):
    """A model that a plan names: ``base`` or ``candidate``, or the version that is scored.

    ``version`` is as people write it (``main@12``); a candidate has none.
    """

    name: str
    version: str | None
    weights: BlockedVector


class Plan(Message):
    """What the fogs are asked to do.

    ``train`` is answered with blocks of weights; ``measure`` with named sums: ``scores`` of the models that the plan
    names, or ``statistics`` of features and target. ``rows`` says which rows a measure counts: all in the window, those
    that training may see, or those on held-out days.
    """

    plan_id: str = Field(pattern=r"^[^/]+/[^/]+/\d+$")
    federation: str
    branch: str
    purpose: str
    kind: Literal["train", "measure"]
    measure: Literal["scores", "statistics"] | None = None
    rows: Literal["all", "training", "held_out"] = "all"
    interval: Interval | None = None
    window: EventTimeSpan
    members: tuple[str, ...] = Field(min_length=1)
    quorum: int = Field(ge=1)
    grace_s: float = Field(ge=0)
    deadline_s: float = Field(gt=0)
    train_by_share: float = Field(gt=0, lt=1)
    head_no: int = Field(ge=0)
    models: tuple[ModelReference, ...] = ()
    scaler: Scaler | None = None
    specification: Specification
    specification_sha256: str

    @property
    def number(self) -> int:
        """The ledger's number of the plan; of two plans of one purpose the higher one counts."""
        return int(self.plan_id.rsplit("/", 1)[1])

    def model_named(self, name: str) -> ModelReference:
        """Return the model of that name; a plan that lacks it is a programming error."""
        return next(model for model in self.models if model.name == name)
