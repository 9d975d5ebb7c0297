"""What must hold before a plan is answered; anything else is a decline that says what to do."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fogline.blocks import Vector
from fogline.federation.settings import Specification
from fogline.messages.plan import Plan
from fogline.network import Network
from fogline.scaling import Scaler
from spark_jobs.fog.errors import Decline, PlanDeclined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogline.federation.reading_rules import FieldRule


def check_specification(plan: Plan, own: Specification, fog: str) -> None:
    """Compare a plan with the fog's own file, which decides what its readings are.

    Raises
    ------
    PlanDeclined
        ``spec_mismatch``, and what differs.
    """
    theirs = plan.specification
    found = theirs.sha256()
    if found != plan.specification_sha256:
        raise _mismatch(f"the specification's hash is {found[:12]}, not {plan.specification_sha256[:12]}")
    differing = _differing(theirs.fields, own.fields)
    if differing:
        raise _mismatch(f"fields.{differing} is not as in this fog's own file; make both the same")
    for name in ("readings", "lateness"):
        if getattr(theirs, name) != getattr(own, name):
            raise _mismatch(f"{name} is not as in this fog's own file; make both the same")
    announced = set(theirs.fogs[fog].sensors) if fog in theirs.fogs else set()
    if announced != set(own.fogs[fog].sensors):
        raise _mismatch(
            f"fogs.{fog}.sensors is {sorted(announced)} in the plan and "
            f"{sorted(own.fogs[fog].sensors)} in this fog's own file; make both the same"
        )


def _mismatch(what: str) -> PlanDeclined:
    return PlanDeclined(Decline.SPEC_MISMATCH, f"{Decline.SPEC_MISMATCH}: {what}")


def _differing(theirs: "Mapping[str, FieldRule]", own: "Mapping[str, FieldRule]") -> str | None:
    return next((name for name in sorted({*theirs, *own}) if theirs.get(name) != own.get(name)), None)


def scaler_of(plan: Plan) -> Scaler:
    """Return the plan's scaler.

    Raises
    ------
    PlanDeclined
        The plan has none, or not one of exactly its features.
    """
    if plan.scaler is None or set(plan.scaler.features) != set(plan.specification.features):
        raise PlanDeclined(
            Decline.WRONG_PLAN,
            "the plan's scaler does not have exactly the specification's features; initialise the federation",
        )
    return plan.scaler


def check_size(name: str, parameters: Vector, network: Network) -> None:
    """Check that a model fits the network.

    Raises
    ------
    PlanDeclined
        The number of parameters differs.
    """
    if parameters.size != network.n_parameters:
        raise PlanDeclined(
            Decline.WRONG_PLAN,
            f"the model {name} has {parameters.size} parameters, the network {network.n_parameters}",
        )


def check_classes(specification: Specification, target: npt.NDArray[np.float64]) -> None:
    """Check that targets are class numbers, if the model learns classes.

    Raises
    ------
    PlanDeclined
        Names the first that is none.
    """
    n_classes = specification.model.n_classes
    if n_classes is None:
        return
    wrong = target[(target < 0) | (target >= n_classes) | (target != np.floor(target))]
    if wrong.size:
        raise PlanDeclined(
            Decline.WRONG_CLASS, f"target.expression: {wrong[0]:g} is no class; classes are 0 to {n_classes - 1}"
        )
