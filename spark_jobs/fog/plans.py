"""Which plans a fog still has to answer, and when; pure."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fogline.messages.plan import Plan
from spark_jobs.fog.state import Progress


@dataclass(frozen=True)
class AnnouncedPlan:
    """A plan and the broker's time at which it was appended, in seconds since 1970."""

    plan: Plan
    appended_s: float

    @property
    def deadline_s(self) -> float:
        """When an answer is late, in seconds since 1970."""
        return self.appended_s + self.plan.deadline_s

    @property
    def train_by_s(self) -> float:
        """When it is answered on what is there, in seconds since 1970."""
        return self.appended_s + self.plan.train_by_share * self.plan.deadline_s


@dataclass(frozen=True)
class Due:
    """The plan to answer now, or how long nothing is due (None: until something changes)."""

    announced: AnnouncedPlan | None
    wait_s: float | None


class PlanBoard:
    """The newest plan of each purpose; a plan supersedes the older one of its purpose."""

    def __init__(self, fog: str, sensors: Sequence[str]) -> None:
        self._fog, self._sensors = fog, tuple(sensors)
        self._newest: dict[tuple[str, str, str], AnnouncedPlan] = {}
        self._numbers: dict[tuple[str, str, str], int] = {}

    def add(self, plan: Plan, appended_s: float) -> None:
        """Take a plan from the topic, in the topic's order.

        An older plan that arrives behind a newer one of its purpose is dropped: a task whose heartbeat was lost may
        still announce after the try that replaced it.
        """
        purpose = (plan.federation, plan.branch, plan.purpose)
        if plan.number < self._numbers.get(purpose, 0):
            return
        self._numbers[purpose] = plan.number
        # Taken out first, so that the order is that of the newest announcement.
        self._newest.pop(purpose, None)
        if self._fog in plan.members:
            self._newest[purpose] = AnnouncedPlan(plan, appended_s)

    def due(self, progress: Progress, now_s: float, is_answered: Callable[[str], bool]) -> Due:
        """Return the first plan that is ready, or how long to wait; forget the plans that are over."""
        for purpose, announced in list(self._newest.items()):
            if now_s >= announced.deadline_s or is_answered(announced.plan.plan_id):
                del self._newest[purpose]
        for announced in self._newest.values():
            if now_s >= announced.train_by_s or not self._awaited(announced.plan, progress):
                return Due(announced, 0.0)
        waits = [announced.train_by_s - now_s for announced in self._newest.values()]
        return Due(None, min(waits, default=None))

    def _awaited(self, plan: Plan, progress: Progress) -> bool:
        return any(s not in progress.silent for s in behind(self._sensors, progress, plan.window.end))


def behind(sensors: Sequence[str], progress: Progress, end: dt.datetime) -> tuple[str, ...]:
    """Return the sensors whose newest reading is older than ``end``, in order."""
    return tuple(s for s in sensors if s not in progress.newest or progress.newest[s] < end)
