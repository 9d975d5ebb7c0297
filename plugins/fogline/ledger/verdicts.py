"""The answers to a plan as people look at them: each record with its verdict, and each member that was silent."""

import datetime as dt
from collections.abc import Iterable, Sequence

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from fogline.ledger.plans import plan_state
from fogline.ledger.schema import AnswerRow, PlanRow
from fogline.messages.answer import Answer
from fogline.rounds.judge import PlanState
from fogline.rounds.tables import VerdictRow

NO_ANSWER = "no answer"


def verdict_rows(session: Session, plan_id: str) -> list[VerdictRow]:
    """Return one row per record that names a plan and one per member without any; none for a plan never announced.

    Members come first, in the plan's order, then strangers by name; a fog's records in the order of the topic. What
    could not be read names no plan: it is listed where its key names a member and it came while the plan was open.
    """
    state = plan_state(session, plan_id)
    if state is None:
        return []
    by_fog: dict[str, list[VerdictRow]] = {fog: [] for fog in state.plan.members}
    strangers: dict[str, list[VerdictRow]] = {}
    for row in _records(session, state):
        fog = row.fog or "unknown"
        rows = by_fog[fog] if fog in by_fog else strangers.setdefault(fog, [])
        rows.append(_verdict_row(fog, row, state))
    found = [row for fog, rows in by_fog.items() for row in rows or [VerdictRow(fog, NO_ANSWER)]]
    return found + [row for fog in sorted(strangers) for row in strangers[fog]]


def strays(
    session: Session, federation: str, members: Sequence[str], since: dt.datetime, until: dt.datetime | None
) -> list[VerdictRow]:
    """Return the answers of a stretch of time (``until`` None: to this day) that belong to no plan of the ledger.

    They name a plan that was never announced, or can't be read and come from no member.
    """
    is_known = exists().where(PlanRow.plan_id == AnswerRow.plan_id)
    unreadable = and_(AnswerRow.plan_id.is_(None), or_(AnswerRow.fog.is_(None), AnswerRow.fog.not_in(members)))
    query = select(AnswerRow).where(AnswerRow.federation == federation)
    query = query.where(or_(unreadable, and_(AnswerRow.plan_id.is_not(None), ~is_known)))
    query = query.where(AnswerRow.append_time_ms >= _milliseconds(since))
    if until is not None:
        query = query.where(AnswerRow.append_time_ms <= _milliseconds(until))
    rows = session.scalars(query.order_by(AnswerRow.append_time_ms, AnswerRow.partition, AnswerRow.offset))
    return [_verdict_row(row.fog or "unknown", row, None) for row in rows]


def _records(session: Session, state: PlanState) -> Iterable[AnswerRow]:
    unreadable = and_(
        AnswerRow.plan_id.is_(None),
        AnswerRow.federation == state.plan.federation,
        AnswerRow.fog.in_(state.plan.members),
        AnswerRow.append_time_ms.between(state.append_time_ms, state.deadline_ms),
    )
    return session.scalars(
        select(AnswerRow)
        .where(or_(AnswerRow.plan_id == state.plan.plan_id, unreadable))
        .order_by(AnswerRow.append_time_ms, AnswerRow.partition, AnswerRow.offset)
    )


def _verdict_row(fog: str, row: AnswerRow, state: PlanState | None) -> VerdictRow:
    answer = Answer.from_bytes(row.body.encode()) if row.body else None
    return VerdictRow(
        fog=fog,
        verdict=row.verdict,
        cause=row.cause,
        reason=row.reason,
        n_examples=answer.n_examples if answer and answer.kind != "decline" else None,
        update_norm_l2=answer.update_norm_l2 if answer else None,
        after_s=None if state is None else (row.append_time_ms - state.append_time_ms) / 1000,
    )


def _milliseconds(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
