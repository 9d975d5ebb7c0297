"""Ledgers with many rounds, written by the ledger's own functions, without Kafka, Spark or fogs."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from fogline.federation import Federation
from fogline.ledger import models, plans, rounds
from fogline.ledger.answers import JudgedRecord, record_verdicts
from fogline.ledger.database import Ledger
from fogline.ledger.plans import PlanKey
from fogline.ledger.schema import ModelRow, SealRow
from fogline.messages.cause import Cause
from fogline.messages.plan import ModelReference, Plan
from fogline.rounds.intervals import interval_at
from fogline.rounds.judge import Judgement, Verdict
from fogline.sums import ScoreSums
from tests.support.plans import DIGEST, measure_plan, some_weights, train_plan, update

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
ACCEPTED = Judgement(Verdict.ACCEPTED)
DECLINED = Judgement(Verdict.DECLINED, None, "no reading in the window")
REJECTED = Judgement(Verdict.REJECTED, Cause.NOT_FINITE, "block 0 holds NaN")


@dataclass
class Chronicle:
    """Writes rounds of a federation's branches into a ledger, one after the other.

    Attributes
    ----------
    n_records
        How many answers there are, which gives each one its offset.
    """

    ledger: Ledger
    federation: Federation
    n_records: int = 0
    bases: dict[str, ModelRow | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The federation's name."""
        return self.federation.federation

    def begin(self) -> None:
        """Commit main's version 0."""
        with self.ledger.transaction() as session:
            plan = self._announced(session, measure_plan(self.federation), "init", None)
            for fog in self.federation.fogs:
                self._answer(session, plan, fog, ACCEPTED, kind="statistics", weights=None, layers=())
            self.bases["main"] = self._commit(session, "main", plan, "init", None, None)

    def branch(self, name: str, origin: ModelRow) -> None:
        """Begin a branch at a version of another."""
        with self.ledger.transaction() as session:
            row = models.copy_model(session, origin, name, 0, NOW)
            models.move_head(session, row, 1, "branched", f"{name}-0", NOW)
            self.bases[name] = row

    def round(
        self, index: int, branch: str = "main", judgements: dict[str, Judgement] | None = None, error: float = 1.0
    ) -> ModelRow | None:
        """Write a round; it commits a version unless a fog's answer was not accepted."""
        judged = {**dict.fromkeys(self.federation.fogs, ACCEPTED), **(judgements or {})}
        run, base = f"{branch}-{index}", self.bases[branch]
        is_sound = all(one.verdict == Verdict.ACCEPTED for one in judged.values())
        with self.ledger.transaction() as session:
            head_no = self._head_no(session, branch)
            interval = interval_at(self.federation, index)
            row = rounds.open_round(session, self.name, branch, run, interval, head_no, NOW, NOW)
            plan = self._announced(session, self._training_plan(branch, index, base), run, row.id)
            for fog, judgement in judged.items():
                self._answer(session, plan, fog, judgement)
            if not is_sound:
                rounds.end_round(row, rounds.FAILED, NOW, "below quorum")
                return None
            measure = self._announced(session, self._candidate_plan(plan), run, row.id)
            for fog in judged:
                self._answer(session, measure, fog, ACCEPTED, kind="scores", weights=None, layers=())
            model = self._commit(session, branch, plan, run, base, index, error)
            rounds.end_round(row, "committed", NOW, "RMSE 2 → 1 on held-out days")
            self.bases[branch] = model
            return model

    def _training_plan(self, branch: str, index: int, base: ModelRow | None) -> Plan:
        version = None if base is None else base.name
        named = ModelReference(name="base", version=version, weights=some_weights())
        return train_plan(self.federation, index, branch=branch, purpose=f"round/{branch}/train", models=(named,))

    def _candidate_plan(self, plan: Plan) -> Plan:
        asked: dict[str, Any] = {"kind": "measure", "measure": "scores", "rows": "held_out"}
        return plan.model_copy(update={**asked, "purpose": f"round/{plan.branch}/evaluate_candidate"})

    def _announced(self, session: Session, plan: Plan, run: str, round_id: int | None) -> Plan:
        row = plans.reserve_plan(session, PlanKey(self.name, plan.branch, plan.purpose), run, round_id)
        sent = plan.model_copy(update={"plan_id": row.plan_id})
        plans.record_body(session, sent)
        plans.record_announcement(session, sent, 1_000_000)
        session.add(
            SealRow(plan_id=sent.plan_id, digest=DIGEST, body="{}", closed_because="all answered", sealed_at=NOW)
        )
        session.flush()
        return sent

    def _answer(self, session: Session, plan: Plan, fog: str, judgement: Judgement, **changes: Any) -> None:
        if judgement.verdict == Verdict.DECLINED:
            changes = {"kind": "decline", "weights": None, "layers": (), "reason": judgement.reason}
        body = update(plan, fog, **changes).to_bytes().decode()
        record = JudgedRecord(0, self.n_records, 1_002_500, plan.plan_id, fog, judgement, body)
        record_verdicts(session, self.name, "model-updates", [record])
        self.n_records += 1

    def _commit(
        self,
        session: Session,
        branch: str,
        plan: Plan,
        run: str,
        base: ModelRow | None,
        index: int | None,
        error: float | None = None,
    ) -> ModelRow:
        sums = ScoreSums(n=10, sum_error=0, sum_error2=10 * error**2) if error is not None else None
        scores = {fog: sums.model_dump() for fog in self.federation.fogs} if sums else None
        new = models.NewModel(
            base_id=base.id if base else None,
            digest=f"{len(self.bases)}{index}".ljust(64, "a"),
            path="path",
            plan_id=plan.plan_id,
            dag_run_id=run,
            interval_index=index,
            n_examples=40,
            base_scores=scores,
            scores=scores,
        )
        return models.commit_version(session, self.name, branch, new, self._head_no(session, branch), NOW)

    def _head_no(self, session: Session, branch: str) -> int:
        head = models.head_of(session, self.name, branch)
        return head.head_no if head else 0
