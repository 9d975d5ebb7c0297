"""Open a round and announce its training plan."""

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fogline.federation.settings import Federation
from fogline.ledger import models, rounds
from fogline.ledger.plans import PlanKey, training_purpose
from fogline.ledger.schema import ModelRow
from fogline.messages.plan import Interval
from fogline.rounds.errors import RoundBusy
from fogline.rounds.fit import require_fit
from fogline.rounds.intervals import interval_at, training_window
from fogline.rounds.judge import PlanState
from fogline.rounds.order import Choice, OutOfOrder, choose
from fogline.steps.announce import Draft, announce, load_version
from fogline.steps.branches import begin_branch
from fogline.steps.head import send_unsent_head
from fogline.steps.services import Services, utc_now

# Beyond the two deadlines and the time for an approval: starting tasks, the aggregation job, the commit.
ROUND_SLACK_S = 900.0


class OtherRuns(Protocol):
    """What a round must know of the other runs of its DAG."""

    def has_ended(self, dag_run_id: str) -> bool:
        """Tell whether a run is over, in whatever way."""

    def is_running(self, interval_start: dt.datetime) -> bool:
        """Tell whether the run of an interval is under way."""

    def is_coming(self, interval_starts: list[dt.datetime]) -> bool:
        """Tell whether the run of one of some intervals is under way or queued."""


@dataclass(frozen=True)
class RunRequest:
    """What a DAG run asks of its round.

    Attributes
    ----------
    interval
        The interval asked for; None takes the one chosen by this run before, else the first untrained one.
    is_live
        Whether the run is one of the live schedule; see `choose`.
    """

    dag_run_id: str
    interval: Interval | None
    is_live: bool = False


@dataclass(frozen=True)
class OpenRound:
    """A round whose training plan was announced."""

    choice: Choice
    state: PlanState
    ended_before: str | None


def training_key(federation: Federation) -> PlanKey:
    """Return the key of a branch's training plans."""
    return PlanKey(federation.federation, federation.branch, training_purpose(federation.branch))


def announce_round(services: Services, federation: Federation, request: RunRequest, others: OtherRuns) -> OpenRound:
    """Choose the interval, open the round (the branch's lock) and announce the training plan.

    Raises
    ------
    RoundRefused
        The interval can't be trained; names the one that can.
    RoundBusy
        Another run holds the branch, or will train an interval before this one.
    """
    opened = _open(services, federation, request, others)
    choice = opened.choice
    base = load_version(services, opened.base)
    require_fit(base.model.specification, federation, opened.base.name)
    send_unsent_head(services, federation)
    draft = Draft(
        purpose=training_purpose(federation.branch),
        kind="train",
        window=training_window(federation, choice.interval),
        quorum=federation.quorum,
        deadline_s=federation.round.deadline_s,
        head_no=opened.head_no,
        dag_run_id=request.dag_run_id,
        round_id=opened.round_id,
        interval=choice.interval,
    )
    return OpenRound(choice, announce(services, federation, draft, {"base": base}), opened.ended_before)


@dataclass(frozen=True)
class _Opened:
    """What one transaction decided: the branch is this run's now."""

    choice: Choice
    round_id: int
    head_no: int
    base: ModelRow
    ended_before: str | None


def _open(services: Services, federation: Federation, request: RunRequest, others: OtherRuns) -> _Opened:
    try:
        return _open_at(utc_now(), services, federation, request, others)
    except IntegrityError as error:
        raise RoundBusy(f"another run took {federation.branch} at this very moment; this task tries again") from error


def _open_at(
    now: dt.datetime, services: Services, federation: Federation, request: RunRequest, others: OtherRuns
) -> _Opened:
    name, branch = federation.federation, federation.branch
    with services.ledger.transaction() as session:
        begin_branch(session, federation, request.dag_run_id, now)
        ended = rounds.free_branch(session, name, branch, request.dag_run_id, now, others.has_ended)
        choice = _choose(session, federation, request, others, now)
        base = models.version_of(session, name, choice.base)
        head = models.head_of(session, name, branch)
        head_no = head.head_no if head else 0
        closes_by = now + _longest_round(federation)
        opened = rounds.open_round(session, name, branch, request.dag_run_id, choice.interval, head_no, now, closes_by)
    ended_before = f"run {ended.dag_run_id} (interval {ended.interval_index})" if ended else None
    return _Opened(choice, opened.id, head_no, base, ended_before)


def _longest_round(federation: Federation) -> dt.timedelta:
    approval = federation.promotion.approval
    approval_s = approval.timeout_s if approval else 0.0
    return dt.timedelta(seconds=2 * federation.round.deadline_s + approval_s + ROUND_SLACK_S)


def _choose(
    session: Session, federation: Federation, request: RunRequest, others: OtherRuns, now: dt.datetime
) -> Choice:
    name, branch = federation.federation, federation.branch
    links = models.links_of(session, name, branch)
    head_index = links[-1].interval_index if links else None
    ended = rounds.intervals_ended_after(session, name, branch, -1 if head_index is None else head_index)
    own = rounds.round_of_run(session, name, branch, request.dag_run_id)
    requested = request.interval
    if own is not None:
        # A run keeps the interval that it chose first, however often its tasks are cleared.
        requested = Interval(index=own.interval_index, start=own.interval_start, end=own.interval_end)
        ended -= {own.interval_index}
    try:
        choice = choose(federation, links, ended, requested, now, is_live=request.is_live)
    except OutOfOrder as gap:
        if others.is_running(gap.needed.start):
            raise RoundBusy(f"{gap}; its run is under way, so this task waits for it") from gap
        raise
    if choice.left_out and others.is_coming([interval_at(federation, index).start for index in choice.left_out]):
        raise RoundBusy(f"runs of intervals before {choice.interval.index} are under way or queued; this task waits")
    return choice
