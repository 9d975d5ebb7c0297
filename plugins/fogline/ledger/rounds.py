"""Rounds in the ledger: opening one takes the branch's lock, ending one releases it."""

import datetime as dt
from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fogline.ledger.schema import HeadMove, Round
from fogline.messages.plan import Interval
from fogline.rounds.errors import RoundBusy

# How a round may end without a model.
SKIPPED, REFUSED, FAILED = "skipped", "refused", "failed"
WITHOUT_MODEL = (SKIPPED, REFUSED, FAILED)
OUTCOMES = ("committed", "reproduced", "differs", *WITHOUT_MODEL)


def open_round_of_other_run(session: Session, federation: str, branch: str, dag_run_id: str) -> Round | None:
    """Return the branch's open round if another DAG run holds it."""
    return session.scalar(
        select(Round)
        .where(
            Round.federation == federation,
            Round.branch == branch,
            Round.is_open,
            Round.dag_run_id != dag_run_id,
        )
        .with_for_update()
    )


def free_branch(
    session: Session,
    federation: str,
    branch: str,
    dag_run_id: str,
    now: dt.datetime,
    has_ended: Callable[[str], bool],
) -> Round | None:
    """End the open round of another run if that run has ended or its time is up.

    Returns
    -------
    Round or None
        The round that was ended, as ``skipped``.

    Raises
    ------
    RoundBusy
        The other run may still finish.
    """
    other = open_round_of_other_run(session, federation, branch, dag_run_id)
    if other is None:
        return None
    if now <= other.closes_by and not has_ended(other.dag_run_id):
        raise RoundBusy(
            f"{branch} is held by run {other.dag_run_id} (interval {other.interval_index}) until "
            f"{other.closes_by:%Y-%m-%d %H:%M:%S} UTC at the latest; this task tries again"
        )
    end_round(other, SKIPPED, now, f"still open when run {dag_run_id} began, and over by then")
    session.flush()
    return other


def open_round(
    session: Session,
    federation: str,
    branch: str,
    dag_run_id: str,
    interval: Interval,
    head_no: int,
    now: dt.datetime,
    closes_by: dt.datetime,
) -> Round:
    """Open the round of a DAG run, or open it again when a task was cleared."""
    row = round_of_run(session, federation, branch, dag_run_id)
    if row is None:
        row = Round(federation=federation, branch=branch, dag_run_id=dag_run_id)
        session.add(row)
    row.interval_index, row.interval_start, row.interval_end = (
        interval.index,
        interval.start,
        interval.end,
    )
    row.head_no = head_no
    row.is_open, row.outcome, row.reason, row.ended_at = True, None, None, None
    row.opened_at, row.closes_by = now, closes_by
    session.flush()
    return row


def round_of_run(session: Session, federation: str, branch: str, dag_run_id: str) -> Round | None:
    """Return the round of a DAG run."""
    return session.scalar(
        select(Round).where(
            Round.federation == federation,
            Round.branch == branch,
            Round.dag_run_id == dag_run_id,
        )
    )


def end_round(row: Round, outcome: str, now: dt.datetime, reason: str | None = None) -> None:
    """End a round; the branch is free again."""
    row.is_open, row.outcome, row.reason, row.ended_at = False, outcome, reason, now


def intervals_ended_after(session: Session, federation: str, branch: str, index: int) -> set[int]:
    """Return the intervals after number ``index`` whose round ended without a model.

    What ended before the head was last rolled back, promoted or branched does not count: the intervals after it can be
    trained again.
    """
    since = select(func.coalesce(func.max(HeadMove.head_no), 0)).where(
        HeadMove.federation == federation, HeadMove.branch == branch, HeadMove.reason != "committed"
    )
    rows = session.scalars(
        select(Round.interval_index)
        .where(Round.federation == federation, Round.branch == branch, Round.interval_index > index)
        .where(Round.outcome.in_(WITHOUT_MODEL), Round.head_no >= since.scalar_subquery())
    )
    return set(rows)
