"""Answers and their verdicts, gathered for people to read."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from fogline.ledger.schema import AnswerRow, PlanRow
from fogline.messages.answer import Answer
from fogline.messages.base import MAX_STORED_BYTES
from fogline.messages.plan import Plan

NO_ANSWER = "no answer"


@dataclass(frozen=True)
class AnswerView:
    """An answer and its verdict, or a member without an answer (verdict ``no answer``).

    Attributes
    ----------
    after_s
        Seconds from the plan to the answer, by the broker's clock; None where there is no plan or no answer.
    """

    fog: str | None
    verdict: str
    cause: str | None = None
    reason: str | None = None
    n_examples: int | None = None
    update_norm_l2: float | None = None
    after_s: float | None = None


def answers_to(session: Session, plan_id: str, plan: Plan | None, sent_ms: int | None) -> tuple[AnswerView, ...]:
    """Return the answers to a plan in the order of the topic, and then its members without one.

    Parameters
    ----------
    plan, sent_ms
        None when the plan was never sent.
    """
    order = (AnswerRow.append_time_ms, AnswerRow.partition, AnswerRow.offset)
    rows = list(session.scalars(select(AnswerRow).where(AnswerRow.plan_id == plan_id).order_by(*order)))
    heard = {row.fog for row in rows}
    silent = [fog for fog in (plan.members if plan else ()) if fog not in heard]
    return (*(_answer_view(row, sent_ms) for row in rows), *(AnswerView(fog, NO_ANSWER) for fog in silent))


def answers_without_plan(
    session: Session, federation: str, since: dt.datetime, until: dt.datetime | None
) -> tuple[AnswerView, ...]:
    """Return the answers of a stretch of time (``until`` None: to this day) that name no plan of the ledger."""
    is_known = exists().where(PlanRow.plan_id == AnswerRow.plan_id)
    query = select(AnswerRow).where(AnswerRow.federation == federation, or_(AnswerRow.plan_id.is_(None), ~is_known))
    query = query.where(AnswerRow.append_time_ms >= _milliseconds(since))
    if until is not None:
        query = query.where(AnswerRow.append_time_ms <= _milliseconds(until))
    return tuple(_answer_view(found, None) for found in session.scalars(query.order_by(AnswerRow.append_time_ms)))


def _answer_view(row: AnswerRow, sent_ms: int | None) -> AnswerView:
    answer = Answer.from_bytes(row.body.encode(), MAX_STORED_BYTES) if row.body else None
    return AnswerView(
        fog=row.fog,
        verdict=row.verdict,
        cause=row.cause,
        reason=row.reason,
        n_examples=answer.n_examples if answer and answer.kind != "decline" else None,
        update_norm_l2=answer.update_norm_l2 if answer else None,
        after_s=None if sent_ms is None else (row.append_time_ms - sent_ms) / 1000,
    )


def _milliseconds(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
