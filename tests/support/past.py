"""Rounds written straight into a ledger, as many as a test asks for: what fogs, Spark and Airflow would have left."""

import datetime as dt
from collections.abc import Mapping

import numpy as np
from sqlalchemy.orm import Session

from fogline.federation import Federation
from fogline.ledger import models, plans, rounds
from fogline.ledger.answers import JudgedRecord, record_verdicts
from fogline.ledger.database import Ledger
from fogline.ledger.models import NewModel, commit_version, head_of, model_of_head
from fogline.ledger.plans import PlanKey, candidate_purpose, training_purpose
from fogline.ledger.schema import EvaluationRow, SealRow
from fogline.messages.cause import Cause
from fogline.messages.plan import ModelReference, Plan
from fogline.rounds.intervals import interval_at
from fogline.rounds.judge import Judgement, Verdict
from fogline.scaling import Scale, Scaler
from fogline.sums import ScoreSums
from tests.support.plans import some_weights, train_plan, update

TOPIC = "model-updates"
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SCALER_SD = 2.0


class Past:
    """A branch's rounds, an hour apart.

    Each fog's update has as many bytes as its two parameters take, its norm is its place among the fogs, and it errs
    by as much.
    """

    def __init__(self, ledger: Ledger, federation: Federation, branch: str = "main") -> None:
        self.ledger, self.federation, self.branch = ledger, federation, branch
        self._n_rounds, self._offset = 0, 0
        with ledger.transaction() as session:
            self._plan_id(session, "initialise", "init")
            first = NewModel(None, "0" * 64, "path", f"{federation.federation}/{branch}/1", "init", None, 10)
            commit_version(session, federation.federation, branch, first, 0, BEGIN)

    def now(self) -> dt.datetime:
        """Return when the next round begins."""
        return BEGIN + self._n_rounds * HOUR

    def round(self, outcome: str | None = "committed", verdicts: Mapping[str, Verdict | None] | None = None) -> str:
        """Write a round (``outcome`` None leaves it open); a fog without a verdict in ``verdicts`` is accepted."""
        name, branch, opened = self.federation.federation, self.branch, self.now()
        run = f"run-{self._n_rounds}"
        with self.ledger.transaction() as session:
            head = head_of(session, name, branch)
            assert head is not None
            interval = interval_at(self.federation, self._n_rounds)
            row = rounds.open_round(session, name, branch, run, interval, head.head_no, opened, opened + HOUR)
            plan = self._train(session, run, head.head_no)
            for number, fog in enumerate(plan.members, start=1):
                verdict = (verdicts or {}).get(fog, Verdict.ACCEPTED)
                if verdict is not None:
                    self.answer(session, plan, fog, Judgement(verdict), number)
            if outcome is not None:
                self._seal(session, plan, opened)
                scores = self._evaluate(session, plan, run)
                if outcome == "committed":
                    base = model_of_head(session, head).id
                    model = NewModel(base, "1" * 64, "path", plan.plan_id, run, self._n_rounds, 40, scores, scores)
                    models.commit_version(session, name, branch, model, head.head_no, opened + HOUR / 6)
                rounds.end_round(row, outcome, opened + HOUR / 6)
        self._n_rounds += 1
        return plan.plan_id

    def stranger(self, plan_id: str, fog: str, cause: Cause) -> None:
        """Write an answer that somebody else sent."""
        with self.ledger.transaction() as session:
            row = JudgedRecord(0, self._next(), 0, plan_id, fog, Judgement(Verdict.REJECTED, cause, "why"), None)
            record_verdicts(session, self.federation.federation, TOPIC, [row])

    def answer(self, session: Session, plan: Plan, fog: str, judgement: Judgement, number: int) -> None:
        """Write a fog's answer, ``number`` seconds after the plan."""
        at_ms = round(self.now().timestamp() * 1000) + 1000 * number
        body = update(plan, fog, update_norm_l2=float(number), n_examples=10 * number).to_bytes().decode()
        record = JudgedRecord(0, self._next(), at_ms, plan.plan_id, fog, judgement, body)
        record_verdicts(session, self.federation.federation, TOPIC, [record])

    def _next(self) -> int:
        self._offset += 1
        return self._offset

    def _plan_id(self, session: Session, purpose: str, run: str) -> str:
        key = PlanKey(self.federation.federation, self.branch, purpose)
        plan_id = plans.reserve_plan(session, key, run, None).plan_id
        assert plan_id is not None
        return plan_id

    def _train(self, session: Session, run: str, head_no: int) -> Plan:
        scaler = Scaler(
            features={name: Scale(mean=0, sd=1) for name in self.federation.features},
            target=Scale(mean=0, sd=SCALER_SD),
        )
        plan = train_plan(
            self.federation,
            self._n_rounds,
            plan_id=self._plan_id(session, training_purpose(self.branch), run),
            branch=self.branch,
            head_no=head_no,
            scaler=scaler,
            models=(ModelReference(name="base", version="main@0", weights=some_weights(digest="a" * 64)),),
        )
        self._record(session, plan)
        return plan

    def _record(self, session: Session, plan: Plan) -> None:
        plans.record_body(session, plan)
        plans.record_announcement(session, plan, round(self.now().timestamp() * 1000))

    def _seal(self, session: Session, plan: Plan, at: dt.datetime) -> None:
        session.add(SealRow(plan_id=plan.plan_id, digest="d", body="{}", closed_because="all answered", sealed_at=at))

    def _evaluate(self, session: Session, train: Plan, run: str) -> dict[str, object]:
        candidate = ModelReference(name="candidate", version=None, weights=some_weights(digest="b" * 64))
        plan = train.model_copy(
            update={
                "plan_id": self._plan_id(session, candidate_purpose(self.branch), run),
                "models": (*train.models, candidate),
            }
        )
        self._record(session, plan)
        by_fog: dict[str, object] = {
            fog: ScoreSums.of(np.array([float(number)]), np.array([1.0])).model_dump()
            for number, fog in enumerate(train.members, start=1)
        }
        session.add(
            EvaluationRow(
                plan_id=plan.plan_id,
                federation=plan.federation,
                branch=plan.branch,
                window_start=plan.window.start,
                window_end=plan.window.end,
                rows="held_out",
                scores={"base": by_fog, "candidate": by_fog},
                recorded_at=self.now(),
            )
        )
        return by_fog
