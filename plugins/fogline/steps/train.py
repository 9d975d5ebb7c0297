"""Open a round and announce its training plan."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from fogline.federation.settings import Federation
from fogline.ledger import models, rounds
from fogline.ledger.plans import PlanKey
from fogline.messages.plan import Interval
from fogline.rounds.intervals import training_window
from fogline.rounds.judge import PlanState
from fogline.rounds.order import ChainLink, Choice, choose
from fogline.steps.announce import Draft, announce, load_version
from fogline.steps.head import send_unsent_head
from fogline.steps.services import Services, utc_now

# Beyond the two deadlines: starting tasks, the aggregation job, the commit.
ROUND_SLACK_S = 900.0


@dataclass(frozen=True)
class OpenRound:
    """A round whose training plan was announced."""

    choice: Choice
    state: PlanState
    ended_before: str | None


def training_purpose(branch: str) -> str:
    """Return the purpose under which training plans supersede each other."""
    return f"round/{branch}/train"


def training_key(federation: Federation) -> PlanKey:
    """Return the key of a branch's training plans."""
    return PlanKey(federation.federation, federation.branch, training_purpose(federation.branch))


def announce_round(
    services: Services,
    federation: Federation,
    dag_run_id: str,
    requested: Interval | None,
    has_failed: Callable[[str], bool],
    *,
    is_live: bool = False,
) -> OpenRound:
    """Choose the interval, open the round (the branch's lock) and announce the training plan.

    Parameters
    ----------
    requested
        The interval asked for; None takes the one chosen by this run before, else the first untrained one.
    has_failed
        Tells of another DAG run whether it has failed, so that its open round may be ended.
    is_live
        Whether the run is one of the live schedule; see `choose`.

    Raises
    ------
    RoundRefused
        The interval can't be trained; names the one that can.
    RoundBusy
        Another run holds the branch.
    """
    opened = _open(services, federation, dag_run_id, requested, has_failed, is_live)
    choice = opened.choice
    send_unsent_head(services, federation)
    draft = Draft(
        purpose=training_purpose(federation.branch),
        kind="train",
        window=training_window(federation, choice.interval),
        quorum=federation.quorum,
        deadline_s=federation.round.deadline_s,
        head_no=opened.head_no,
        dag_run_id=dag_run_id,
        round_id=opened.round_id,
        interval=choice.interval,
    )
    base = load_version(services, choice.base_version, opened.base_path)
    return OpenRound(choice, announce(services, federation, draft, {"base": base}), opened.ended_before)


@dataclass(frozen=True)
class _Opened:
    """What one transaction decided: the branch is this run's now."""

    choice: Choice
    round_id: int
    head_no: int
    base_path: str
    ended_before: str | None


def _open(
    services: Services,
    federation: Federation,
    dag_run_id: str,
    requested: Interval | None,
    has_failed: Callable[[str], bool],
    is_live: bool,
) -> _Opened:
    now = utc_now()
    name, branch = federation.federation, federation.branch
    with services.ledger.transaction() as session:
        ended = rounds.free_branch(session, name, branch, dag_run_id, now, has_failed)
        own = rounds.round_of_run(session, name, branch, dag_run_id)
        links = [ChainLink(row.version, row.interval_index) for row in models.chain_of(session, name, branch)]
        head_index = links[-1].interval_index if links else None
        skipped = rounds.intervals_ended_after(session, name, branch, -1 if head_index is None else head_index)
        if own is not None:
            # A run keeps the interval that it chose first, however often its tasks are cleared.
            requested = Interval(index=own.interval_index, start=own.interval_start, end=own.interval_end)
            skipped -= {own.interval_index}
        choice = choose(federation, links, skipped, requested, now, is_live=is_live)
        closes_by = now + dt.timedelta(seconds=2 * federation.round.deadline_s + ROUND_SLACK_S)
        opened = rounds.open_round(session, name, branch, dag_run_id, choice.interval, now, closes_by)
        head = models.head_of(session, name, branch)
        base = models.version_of(session, name, branch, choice.base_version)
    ended_before = f"run {ended.dag_run_id} (interval {ended.interval_index})" if ended else None
    return _Opened(choice, opened.id, head.head_no if head else 0, base.path, ended_before)
