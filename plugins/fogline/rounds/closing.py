"""When a plan closes: all members answered, quorum and grace, or the deadline; decided by the broker's clock alone."""

from bisect import insort
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


class Tally:
    """The first answers to a plan as they come in; each one costs the same, however many there are."""

    def __init__(self, state: PlanState, answers: Mapping[str, FogAnswer]) -> None:
        self.state = state
        self.first: dict[str, FogAnswer] = {}
        self._members = frozenset(state.plan.members)
        self._missing = set(self._members)
        self._last_ms = 0
        self._accepted_ms: list[int] = []
        for fog, answer in answers.items():
            self.add(fog, answer)

    def add(self, fog: str, answer: FogAnswer) -> None:
        """Count a fog's first answer, whatever its verdict (accepted, declined or rejected)."""
        self.first[fog] = answer
        if fog not in self._members:
            return
        self._missing.discard(fog)
        self._last_ms = max(self._last_ms, answer.append_time_ms)
        if answer.verdict is Verdict.ACCEPTED:
            insort(self._accepted_ms, answer.append_time_ms)

    def closing(self, log_time_ms: int) -> Closing:
        """Tell when the plan closes; `closing` has the rules."""
        plan = self.state.plan
        has_quorum = len(self._accepted_ms) >= plan.quorum
        if not self._missing:
            return Closing(self._last_ms, "all fogs answered", True, has_quorum)
        at_ms, because = self.state.deadline_ms, f"the deadline of {plan.deadline_s:g} s"
        if has_quorum:
            grace_end_ms = self._accepted_ms[plan.quorum - 1] + round(plan.grace_s * 1000)
            if grace_end_ms < at_ms:
                at_ms, because = grace_end_ms, f"quorum of {plan.quorum} and {plan.grace_s:g} s of grace"
        return Closing(at_ms, because, log_time_ms > at_ms, has_quorum)


def closing(state: PlanState, answers: Mapping[str, FogAnswer], log_time_ms: int) -> Closing:
    """Tell when a plan closes.

    Parameters
    ----------
    answers
        The first answer of each fog, whatever its verdict (accepted, declined or rejected).
    log_time_ms
        The newest append time read from the answers' topic: everything before it is known.
    """
    return Tally(state, answers).closing(log_time_ms)
