"""What a fog node raises on purpose."""

from enum import StrEnum

from fogline.errors import FoglineError


class FogError(FoglineError):
    """The fog node can't start or go on; the message names the place and the remedy."""


class Decline(StrEnum):
    """Why plans are declined, by name: what can be counted."""

    SPEC_MISMATCH = "spec_mismatch"
    WRONG_PLAN = "wrong_plan"
    NO_READINGS = "no_readings"
    NO_TARGET = "no_target"
    HELD_OUT = "held_out"
    LEFT_OUT = "left_out"
    WRONG_CLASS = "wrong_class"
    NOT_FINITE = "not_finite"
    # A model's blocks are gone, or Kafka or the store did not give what the plan needs.
    UNAVAILABLE = "unavailable"
    INTERNAL_ERROR = "internal_error"


class PlanDeclined(FoglineError):
    """The plan can't be answered; the message is the reason the cloud is given."""

    def __init__(self, cause: Decline, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause
