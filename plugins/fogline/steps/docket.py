"""Judge a batch of records in one transaction.

What a plan's answers are judged by is read once and kept up to date in memory, so that a batch of many fogs costs as
much per record as one of few.
"""

from dataclasses import replace

from sqlalchemy.orm import Session

from fogline.kafka.read import Received
from fogline.ledger.answers import JudgedRecord, first_answers, settles
from fogline.ledger.plans import is_sealed, plan_to_judge
from fogline.messages.answer import Answer
from fogline.messages.base import MessageError, RecordTooLarge
from fogline.messages.cause import Cause, Fault
from fogline.rounds.closing import FogAnswer, Tally
from fogline.rounds.judge import Judgement, judge, rejection


class Docket:
    """The plans that a batch's answers name; valid within the transaction of its session."""

    def __init__(self, session: Session, federation: str) -> None:
        self._session, self._federation = session, federation
        self._tallies: dict[str, Tally | None] = {}

    def judge(self, record: Received) -> JudgedRecord | None:
        """Judge the next record in the order of append times; None for another federation's."""
        try:
            answer = Answer.from_bytes(record.value)
        except MessageError as error:
            cause = Cause.TOO_LARGE if isinstance(error, RecordTooLarge) else Cause.UNDECODABLE
            return _judged(record, None, record.key or None, rejection(Fault(cause, str(error))), None)
        if answer.plan_id.split("/")[0] != self._federation:
            return None
        judgement = self._judgement(answer, record)
        fog = record.key or None if judgement.cause is Cause.FOREIGN_KEY else answer.fog
        return _judged(record, answer.plan_id, fog, judgement, answer.to_bytes().decode())

    def _judgement(self, answer: Answer, record: Received) -> Judgement:
        tally = self._tally(answer.plan_id, record.timestamp_ms)
        if tally is None:
            return judge(answer, record.key, record.timestamp_ms, None, {})
        end = tally.closing(record.timestamp_ms)
        closed_at_ms = end.at_ms if end.is_settled and end.has_quorum else None
        state = replace(tally.state, closed_at_ms=closed_at_ms)
        earlier = {answer.fog: tally.first[answer.fog].verdict} if answer.fog in tally.first else {}
        judgement = judge(answer, record.key, record.timestamp_ms, state, earlier)
        if answer.fog not in tally.first and settles(judgement.verdict, judgement.cause):
            tally.add(answer.fog, FogAnswer(judgement.verdict, record.timestamp_ms))
        return judgement

    def _tally(self, plan_id: str, append_time_ms: int) -> Tally | None:
        if plan_id not in self._tallies:
            state = plan_to_judge(self._session, plan_id, append_time_ms)
            self._tallies[plan_id] = None if state is None else Tally(
                replace(state, is_sealed=is_sealed(self._session, plan_id)), first_answers(self._session, plan_id)
            )  # fmt: skip
        return self._tallies[plan_id]


def _judged(
    record: Received, plan_id: str | None, fog: str | None, judgement: Judgement, body: str | None
) -> JudgedRecord:
    return JudgedRecord(record.partition, record.offset, record.timestamp_ms, plan_id, fog, judgement, body)
