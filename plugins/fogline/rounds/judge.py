"""One verdict per answer, always, with its reason; a rejection also with its cause by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fogline.messages.answer import Answer
from fogline.messages.cause import Cause, Fault
from fogline.messages.plan import Plan
from fogline.rounds.structure import update_fault


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
    is_sealed
        Whether its answers were sealed: nothing can be added to them.
    """

    plan: Plan
    append_time_ms: int
    superseded_by: int | None = None
    closed_at_ms: int | None = None
    is_sealed: bool = False

    @property
    def deadline_ms(self) -> int:
        """The broker's time after which answers are late."""
        return self.append_time_ms + round(self.plan.deadline_s * 1000)


@dataclass(frozen=True)
class Judgement:
    """What becomes of an answer, and why; the cause is that of a rejection, the reason of all but an acceptance."""

    verdict: Verdict
    cause: Cause | None = None
    reason: str | None = None


def rejection(fault: Fault) -> Judgement:
    """Return the judgement on an answer with a fault."""
    return Judgement(Verdict.REJECTED, fault.cause, fault.reason)


def judge(
    answer: Answer,
    key: str,
    append_time_ms: int,
    state: PlanState | None,
    earlier: Mapping[str, Verdict],
) -> Judgement:
    """Judge one answer.

    Parameters
    ----------
    key
        The key of its record: the fog that sent it.
    append_time_ms
        When the broker took the answer.
    state
        The plan that it names; None when there is no such plan.
    earlier
        The verdict of each fog's first answer to the same plan.
    """
    if state is None:
        return rejection(Fault(Cause.UNKNOWN_PLAN, f"unknown plan {answer.plan_id}"))
    if answer.fog not in state.plan.members:
        members = ", ".join(state.plan.members)
        return rejection(Fault(Cause.UNKNOWN_FOG, f"unknown fog {answer.fog}; members are {members}"))
    if key != answer.fog:
        return rejection(Fault(Cause.FOREIGN_KEY, f"the record's key is {key}, its manifest names {answer.fog}"))
    untimely = _untimely(answer, append_time_ms, state, earlier)
    if untimely is not None:
        return untimely
    if answer.kind == "decline":
        return Judgement(Verdict.DECLINED, reason=answer.reason or "no reason given")
    fault = _fault(answer, state.plan)
    return rejection(fault) if fault else Judgement(Verdict.ACCEPTED)


def _untimely(
    answer: Answer, append_time_ms: int, state: PlanState, earlier: Mapping[str, Verdict]
) -> Judgement | None:
    if state.superseded_by is not None:
        return Judgement(Verdict.STALE, reason=f"plan {state.superseded_by} superseded it")
    if answer.fog in earlier:
        return Judgement(Verdict.DUPLICATE, reason=f"{answer.fog} had answered before ({earlier[answer.fog]})")
    if append_time_ms > state.deadline_ms:
        over_s = (append_time_ms - state.deadline_ms) / 1000
        return Judgement(Verdict.LATE, reason=f"{over_s:.1f} s after the deadline")
    if state.closed_at_ms is not None and append_time_ms > state.closed_at_ms:
        return Judgement(Verdict.LATE, reason="after quorum and grace had closed the plan")
    if state.is_sealed:
        return Judgement(Verdict.LATE, reason="after the plan had been sealed")
    return None


def _fault(answer: Answer, plan: Plan) -> Fault | None:
    expected = "update" if plan.kind == "train" else plan.measure
    if answer.kind != expected:
        return Fault(Cause.WRONG_KIND, f"kind is {answer.kind}, the plan asks for {expected}")
    if answer.specification_sha256 != plan.specification_sha256:
        found, wanted = answer.specification_sha256[:12], plan.specification_sha256[:12]
        return Fault(Cause.WRONG_SPECIFICATION, f"specification {found}, the plan's is {wanted}")
    if answer.kind == "scores":
        return _names_fault(Cause.WRONG_SCORES, "scores", set(answer.scores), {model.name for model in plan.models})
    if answer.kind == "statistics":
        columns = {*plan.specification.features, plan.specification.target.name}
        return _names_fault(Cause.WRONG_STATISTICS, "statistics", set(answer.statistics), columns)
    return update_fault(answer, plan)


def _names_fault(cause: Cause, what: str, found: set[str], wanted: set[str]) -> Fault | None:
    if found == wanted:
        return None
    return Fault(
        cause, f"{what} of {', '.join(sorted(found)) or 'nothing'}, the plan asks for {', '.join(sorted(wanted))}"
    )
