"""The answers to a plan as people look at them: each record with its verdict, and each member that was silent."""

from collections.abc import Iterable

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from fogline.ledger.plans import plan_state
from fogline.ledger.schema import AnswerRow
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


def _verdict_row(fog: str, row: AnswerRow, state: PlanState) -> VerdictRow:
    answer = Answer.from_bytes(row.body.encode()) if row.body else None
    return VerdictRow(
        fog=fog,
        verdict=row.verdict,
        cause=row.cause,
        reason=row.reason,
        n_examples=answer.n_examples if answer and answer.kind != "decline" else None,
        update_norm_l2=answer.update_norm_l2 if answer else None,
        after_s=(row.append_time_ms - state.append_time_ms) / 1000,
    )
