"""When a plan closes: all members answered, quorum and grace, or the deadline; decided by the broker's clock alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from fogline.rounds.judge import PlanState, Verdict


@dataclass(frozen=True)
class FogAnswer:
    """A fog's first answer to a plan."""

    verdict: Verdict
    append_time_ms: int


@dataclass(frozen=True)
class Closing:
    """When and why a plan closes, as far as is known by now.

    Attributes
    ----------
    at_ms
        The broker's time at which it closes.
    is_settled
        True when nothing that is still to arrive can move ``at_ms``.
    has_quorum
        Whether enough answers were accepted.
    """

    at_ms: int
    because: str
    is_settled: bool
    has_quorum: bool


def closing(state: PlanState, answers: Mapping[str, FogAnswer], log_time_ms: int) -> Closing:
    """Tell when a plan closes.

    Parameters
    ----------
    answers
        The first answer of each fog, whatever its verdict (accepted, declined or rejected).
    log_time_ms
        The newest append time read from the answers' topic: everything before it is known.
    """
    plan = state.plan
    accepted = sorted(a.append_time_ms for a in answers.values() if a.verdict is Verdict.ACCEPTED)
    has_quorum = len(accepted) >= plan.quorum
    if set(answers) >= set(plan.members):
        last_ms = max(answer.append_time_ms for answer in answers.values())
        return Closing(last_ms, "all fogs answered", True, has_quorum)
    at_ms, because = state.deadline_ms, f"the deadline of {plan.deadline_s:g} s"
    if has_quorum:
        grace_end_ms = accepted[plan.quorum - 1] + round(plan.grace_s * 1000)
        if grace_end_ms < at_ms:
            at_ms, because = (
                grace_end_ms,
                f"quorum of {plan.quorum} and {plan.grace_s:g} s of grace",
            )
    return Closing(at_ms, because, log_time_ms > at_ms, has_quorum)
