"""One verdict per answer, always, with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fogline.messages.answer import Answer
from fogline.messages.plan import Plan
from fogline.network import Network


class Verdict(StrEnum):
    """What becomes of an answer."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    LATE = "late"
    STALE = "stale"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True)
class PlanState:
    """A plan as the ledger knows it when an answer is judged.

    Attributes
    ----------
    append_time_ms
        When the broker took the plan; the deadline counts from there.
    superseded_by
        The number of the plan that replaced it.
    closed_at_ms
        The moment at which it closed before its deadline, by quorum and grace; None while it is open.
    """

    plan: Plan
    append_time_ms: int
    superseded_by: int | None = None
    closed_at_ms: int | None = None

    @property
    def deadline_ms(self) -> int:
        """The broker's time after which answers are late."""
        return self.append_time_ms + round(self.plan.deadline_s * 1000)


Judgement = tuple[Verdict, str | None]


def judge(
    answer: Answer,
    append_time_ms: int,
    state: PlanState | None,
    earlier: Mapping[str, Verdict],
) -> Judgement:
    """Judge one answer.

    Parameters
    ----------
    append_time_ms
        When the broker took the answer.
    state
        The plan that it names; None when there is no such plan.
    earlier
        The verdict of each fog's first answer to the same plan.

    Returns
    -------
    tuple
        The verdict, and the reason for anything but ``accepted``.
    """
    if state is None:
        return Verdict.REJECTED, f"unknown plan {answer.plan_id}"
    plan = state.plan
    if answer.fog not in plan.members:
        return (
            Verdict.REJECTED,
            f"unknown fog {answer.fog}; members are {', '.join(plan.members)}",
        )
    if state.superseded_by is not None:
        return Verdict.STALE, f"plan {state.superseded_by} superseded it"
    if answer.fog in earlier:
        return (
            Verdict.DUPLICATE,
            f"{answer.fog} had answered before ({earlier[answer.fog]})",
        )
    if append_time_ms > state.deadline_ms:
        over_s = (append_time_ms - state.deadline_ms) / 1000
        return Verdict.LATE, f"{over_s:.1f} s after the deadline"
    if state.closed_at_ms is not None and append_time_ms > state.closed_at_ms:
        return Verdict.LATE, "after quorum and grace had closed the plan"
    if answer.kind == "decline":
        return Verdict.DECLINED, answer.reason or "no reason given"
    fault = _fault(answer, plan)
    return (Verdict.REJECTED, fault) if fault else (Verdict.ACCEPTED, None)


def _fault(answer: Answer, plan: Plan) -> str | None:
    expected = "update" if plan.kind == "train" else plan.measure
    if answer.kind != expected:
        return f"kind is {answer.kind}, the plan asks for {expected}"
    if answer.specification_sha256 != plan.specification_sha256:
        return f"specification {answer.specification_sha256[:12]}, the plan's is {plan.specification_sha256[:12]}"
    if answer.kind == "scores":
        return _names_fault("scores", set(answer.scores), {model.name for model in plan.models})
    if answer.kind == "statistics":
        columns = {*plan.specification.features, plan.specification.target.name}
        return _names_fault("statistics", set(answer.statistics), columns)
    if answer.weights is None:
        return "an update without weights"
    n_expected = Network(len(plan.specification.features), plan.specification.model).n_parameters
    if answer.weights.n_parameters != n_expected:
        return f"{answer.weights.n_parameters} parameters, the model has {n_expected}"
    return None


def _names_fault(what: str, found: set[str], wanted: set[str]) -> str | None:
    if found == wanted:
        return None
    return f"{what} of {', '.join(sorted(found)) or 'nothing'}, the plan asks for {', '.join(sorted(wanted))}"
