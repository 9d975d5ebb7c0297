"""Collect the answers to a plan.

Each poll reads ``model-updates`` from the ledger's cursor and, in one transaction, writes a verdict for every record
and moves the cursor: killed anywhere, the next poll goes on from there and nothing counts twice. Whether the plan is
over is then a function of those rows and of the broker's clock.
"""

import time
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import Received, TailReader, open_consumer
from fogline.kafka.topics import MODEL_UPDATES
from fogline.ledger import answers as answer_rows
from fogline.ledger.plans import seal_of
from fogline.ledger.schema import SealRow
from fogline.ledger.verdicts import verdict_rows
from fogline.messages.close import CLOSE_KEY, Close
from fogline.messages.seal import Seal
from fogline.rounds.closing import Closing, closing
from fogline.rounds.errors import RoundOver
from fogline.rounds.judge import PlanState
from fogline.steps.docket import Docket
from fogline.steps.services import Services, utc_now

POLL_S = 0.25
# How often at most the collector asks the broker for its time: at the end of each poll, and while its own clock says
# that the plan is over.
CLOSE_EVERY_S = 1.0


class QuorumNotMet(RoundOver):
    """Too few fogs were accepted before the plan closed."""


class Collector:
    """Reads and judges answers until a plan closes.

    Attributes
    ----------
    judged
        Every record that this collector judged, in order, also those of other plans.
    """

    def __init__(self, services: Services, state: PlanState) -> None:
        self._services = services
        self._state = state
        self._federation = state.plan.federation
        self._log_time_ms = 0
        self._next_close = 0.0
        self.judged: list[answer_rows.JudgedRecord] = []

    def poll_for(self, poll_s: float) -> Seal | None:
        """Read answers for some seconds.

        Returns
        -------
        Seal or None
            The seal, when the plan closed; None when it is still open.

        Raises
        ------
        QuorumNotMet
            The plan closed with too few accepted answers; says who answered what.
        """
        until = time.monotonic() + poll_s
        with self._services.ledger.transaction() as session:
            cursor = answer_rows.read_cursor(session, self._federation, MODEL_UPDATES)
        with open_consumer(self._services.kafka) as consumer:
            reader = TailReader(consumer, MODEL_UPDATES, cursor)
            records: Sequence[Received] = ()
            is_last = False
            while True:
                seal = self._take_once(records)
                if seal is not None or is_last:
                    return seal
                # Once whatever its own clock says: that may be hours behind the broker's.
                is_last = time.monotonic() >= until
                if is_last or self._seems_over():
                    self._ask_the_time()
                records = reader.poll(POLL_S)

    def _take_once(self, records: Sequence[Received]) -> Seal | None:
        try:
            return self._take(records)
        except IntegrityError:
            # Another collector (a retry beside its lost predecessor) judged the same records first.
            return self._take(())

    def _take(self, records: Sequence[Received]) -> Seal | None:
        for record in records:
            self._log_time_ms = max(self._log_time_ms, record.timestamp_ms)
        with self._services.ledger.transaction() as session:
            known = seal_of(session, self._state.plan.plan_id)
            if known is not None:
                return known
            self._judge_all(session, records)
            end = self._closing(session)
            if not end.is_settled:
                return None
            if end.has_quorum:
                return seal_plan(session, self._state, end)
        raise QuorumNotMet(self._shortfall(end))

    def _judge_all(self, session: Session, records: Sequence[Received]) -> None:
        cursor = answer_rows.read_cursor(session, self._federation, MODEL_UPDATES, for_update=True)
        docket = Docket(session, self._federation)
        judged: list[answer_rows.JudgedRecord] = []
        for record in sorted(records, key=lambda r: (r.timestamp_ms, r.partition, r.offset)):
            if record.offset >= cursor.get(record.partition, 0) and record.key != CLOSE_KEY:
                found = docket.judge(record)
                if found is not None:
                    judged.append(found)
        answer_rows.record_verdicts(session, self._federation, MODEL_UPDATES, judged)
        self.judged += judged
        nexts = {r.partition: r.offset + 1 for r in sorted(records, key=lambda r: r.offset)}
        answer_rows.advance_cursor(session, self._federation, MODEL_UPDATES, nexts)

    def _closing(self, session: Session) -> Closing:
        first = answer_rows.first_answers(session, self._state.plan.plan_id)
        return closing(self._state, first, self._log_time_ms)

    def _seems_over(self) -> bool:
        with self._services.ledger.transaction() as session:
            end = self._closing(session)
        return utc_now().timestamp() * 1000 > end.at_ms

    def _ask_the_time(self) -> None:
        if time.monotonic() >= self._next_close:
            close = Close(plan_id=self._state.plan.plan_id)
            Publisher(self._services.kafka).publish([Record(MODEL_UPDATES, CLOSE_KEY, close.to_bytes())])
            self._next_close = time.monotonic() + CLOSE_EVERY_S

    def _shortfall(self, end: Closing) -> str:
        plan = self._state.plan
        with self._services.ledger.transaction() as session:
            rows = verdict_rows(session, plan.plan_id)
        who = "; ".join(row.said() for row in rows)
        return (
            f"plan {plan.plan_id} closed by {end.because} below its quorum of {plan.quorum}: {who}. The global model "
            "is unchanged; to try this interval again clear announce_round with everything after it"
        )


def seal_plan(session: Session, state: PlanState, end: Closing) -> Seal:
    """Seal the accepted answers, fogs in the plan's order, in the caller's transaction."""
    accepted = answer_rows.accepted_answers(session, state.plan.plan_id)
    seal = Seal(
        plan=state.plan,
        answers=tuple(accepted[fog] for fog in state.plan.members if fog in accepted),
    )
    session.add(
        SealRow(
            plan_id=state.plan.plan_id,
            digest=seal.digest(),
            body=seal.to_bytes().decode(),
            closed_because=end.because,
            sealed_at=utc_now(),
        )
    )
    return seal
