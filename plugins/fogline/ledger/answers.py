"""Answers in the ledger: how far the topic is read, and one verdict per record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fogline.ledger.schema import AnswerRow, CursorRow
from fogline.messages.answer import Answer
from fogline.messages.cause import Cause, Fault
from fogline.rounds.closing import FogAnswer
from fogline.rounds.judge import Judgement, Verdict

# A fog's first answer of one of these kinds settles it; what was late or stale settles nothing.
SETTLING = (Verdict.ACCEPTED, Verdict.DECLINED, Verdict.REJECTED)


@dataclass(frozen=True)
class JudgedRecord:
    """A record of the answers' topic and what became of it."""

    partition: int
    offset: int
    append_time_ms: int
    plan_id: str | None
    fog: str | None
    judgement: Judgement
    body: str | None


def settles(verdict: str, cause: str | None) -> bool:
    """Tell whether an answer settles its fog: its later ones are duplicates. What another sent in its name does not."""
    return verdict in SETTLING and cause != Cause.FOREIGN_KEY


def read_cursor(session: Session, federation: str, topic: str, *, for_update: bool = False) -> dict[int, int]:
    """Return the next offset to judge of each partition; ``for_update`` keeps other collectors waiting."""
    query = select(CursorRow).where(CursorRow.federation == federation, CursorRow.topic == topic)
    rows = session.scalars(query.with_for_update() if for_update else query)
    return {row.partition: row.next_offset for row in rows}


def advance_cursor(session: Session, federation: str, topic: str, cursor: Mapping[int, int]) -> None:
    """Move the cursor forward; it never goes back."""
    for partition, next_offset in cursor.items():
        row = session.get(CursorRow, (federation, topic, partition))
        if row is None:
            session.add(
                CursorRow(
                    federation=federation,
                    topic=topic,
                    partition=partition,
                    next_offset=next_offset,
                )
            )
        elif row.next_offset < next_offset:
            row.next_offset = next_offset


def record_verdicts(session: Session, federation: str, topic: str, records: Iterable[JudgedRecord]) -> None:
    """Write the verdicts of some records."""
    session.add_all(
        AnswerRow(
            federation=federation,
            topic=topic,
            partition=record.partition,
            offset=record.offset,
            plan_id=record.plan_id,
            fog=record.fog,
            append_time_ms=record.append_time_ms,
            verdict=record.judgement.verdict.value,
            cause=record.judgement.cause and record.judgement.cause.value,
            reason=record.judgement.reason,
            body=record.body,
        )
        for record in records
    )
    session.flush()


def reject_accepted(session: Session, plan_id: str, faults: Mapping[str, Fault]) -> None:
    """Turn the accepted answers of some fogs into rejected ones; done again it changes nothing."""
    for fog, fault in faults.items():
        session.execute(
            update(AnswerRow)
            .where(AnswerRow.plan_id == plan_id, AnswerRow.fog == fog, AnswerRow.verdict == Verdict.ACCEPTED.value)
            .values(verdict=Verdict.REJECTED.value, cause=fault.cause.value, reason=fault.reason)
        )


def verdicts_of(session: Session, plan_id: str) -> list[AnswerRow]:
    """Return all records that name a plan, in the order of the topic."""
    rows = session.scalars(
        select(AnswerRow)
        .where(AnswerRow.plan_id == plan_id)
        .order_by(AnswerRow.append_time_ms, AnswerRow.partition, AnswerRow.offset)
    )
    return list(rows)


def first_answers(session: Session, plan_id: str) -> dict[str, FogAnswer]:
    """Return the first answer of each fog that settles it."""
    columns = (AnswerRow.fog, AnswerRow.verdict, AnswerRow.cause, AnswerRow.append_time_ms)
    query = select(*columns).where(AnswerRow.plan_id == plan_id)
    first: dict[str, FogAnswer] = {}
    for fog, verdict, cause, append_time_ms in session.execute(
        query.order_by(AnswerRow.append_time_ms, AnswerRow.partition, AnswerRow.offset)
    ):
        if fog is not None and fog not in first and settles(verdict, cause):
            first[fog] = FogAnswer(Verdict(verdict), append_time_ms)
    return first


def accepted_answers(session: Session, plan_id: str) -> dict[str, Answer]:
    """Return the accepted answer of each fog."""
    return {
        row.fog: Answer.from_bytes(row.body.encode())
        for row in verdicts_of(session, plan_id)
        if row.verdict == Verdict.ACCEPTED and row.fog is not None and row.body is not None
    }
