"""All that the ledger tells of one round, gathered for people to read; how it is laid out is not decided here."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from fogline.ledger.history import sums_by_fog
from fogline.ledger.models import model_of_interval
from fogline.ledger.plans import plan_state
from fogline.ledger.rounds import round_of_run
from fogline.ledger.schema import EvaluationRow, ModelRow, PlanRow, ResultRow, Round, SealRow
from fogline.ledger.verdicts import strays, verdict_rows
from fogline.messages.base import MAX_STORED_BYTES
from fogline.messages.plan import Plan
from fogline.messages.seal import Result
from fogline.rounds.tables import VerdictRow
from fogline.sums import ScoreSums

# These ended with the gate's word on the candidate as their reason.
JUDGED_BY_GATE = ("committed", "reproduced", "refused")


@dataclass(frozen=True)
class NamedDigest:
    """A model by its version (``main@12``; None for a candidate that was not published) and its digest."""

    version: str | None
    digest: str


@dataclass(frozen=True)
class PlanView:
    """A plan of the round's run.

    Attributes
    ----------
    plan
        The plan as sent; None when the announcement died before it was.
    is_superseded
        A newer plan of the same run replaced it, or another one did before it was sealed.
    closed_because, seal_digest
        None while it is not sealed.
    answers
        By fog, in the order of the topic; also the members without an answer.
    """

    number: int
    plan_id: str
    plan: Plan | None
    sent_at: dt.datetime | None
    is_superseded: bool
    superseded_by: int | None
    closed_because: str | None
    seal_digest: str | None
    answers: tuple[VerdictRow, ...]


@dataclass(frozen=True)
class FogScores:
    """A fog's held-out errors before and after; ``fog`` is None in the row of all fogs together."""

    fog: str | None
    base: ScoreSums
    candidate: ScoreSums


@dataclass(frozen=True)
class RoundView:
    """A round.

    Attributes
    ----------
    row
        The round itself: interval, outcome, reason, times.
    base
        What its newest training plan started from.
    result
        The version that it committed or was compared with; a candidate without a version where nothing was published.
    plans
        All plans of its run, oldest first.
    strays
        Answers that belong to no plan of the ledger, from the time of the round.
    aggregation
        What the newest training plan's aggregation made.
    scores
        Of base and candidate by fog, and in the end of all fogs; empty before the evaluation.
    """

    row: Round
    base: NamedDigest | None
    result: NamedDigest | None
    plans: tuple[PlanView, ...]
    strays: tuple[VerdictRow, ...]
    aggregation: Result | None
    scores: tuple[FogScores, ...]

    @property
    def gate(self) -> str | None:
        """The promotion gate's sentence on the candidate, or who refused it."""
        return self.row.reason if self.row.outcome in JUDGED_BY_GATE else None

    @property
    def training_plan(self) -> Plan | None:
        """The newest training plan that was sent."""
        return next((view.plan for view in reversed(self.plans) if view.plan and view.plan.kind == "train"), None)


def round_view(session: Session, federation: str, branch: str, dag_run_id: str) -> RoundView | None:
    """Gather what the ledger has on the round of a DAG run; None when that run opened no round."""
    row = round_of_run(session, federation, branch, dag_run_id)
    if row is None:
        return None
    plan_rows = _plan_rows(session, row)
    plans = tuple(_plan_view(session, plan, plan_rows) for plan in plan_rows)
    newest = next((v for v in reversed(plans) if v.plan is not None and v.plan.kind == "train"), None)
    aggregation = _result_of(session, newest.plan_id) if newest else None
    since = min((view.sent_at for view in plans if view.sent_at is not None), default=None)
    members = newest.plan.members if newest and newest.plan else ()
    return RoundView(
        row=row,
        base=_base(newest.plan) if newest and newest.plan else None,
        result=_result(session, row, aggregation),
        plans=plans,
        strays=tuple(strays(session, federation, members, since, row.ended_at)) if since else (),
        aggregation=aggregation,
        scores=_scores(session, plans),
    )


def _plan_rows(session: Session, row: Round) -> list[PlanRow]:
    query = select(PlanRow).where(PlanRow.federation == row.federation, PlanRow.branch == row.branch)
    return list(session.scalars(query.where(PlanRow.dag_run_id == row.dag_run_id).order_by(PlanRow.number)))


def _plan_view(session: Session, row: PlanRow, of_run: Sequence[PlanRow]) -> PlanView:
    plan_id = row.plan_id or ""
    state, seal = plan_state(session, plan_id), session.get(SealRow, plan_id)
    # Each round's plans supersede those of the round before it, which says nothing about a sealed one.
    by_own_run = any(other.number > row.number and other.purpose == row.purpose for other in of_run)
    plan, sent_ms = (state.plan, state.append_time_ms) if state else (None, None)
    return PlanView(
        number=row.number,
        plan_id=plan_id,
        plan=plan,
        sent_at=None if sent_ms is None else dt.datetime.fromtimestamp(sent_ms / 1000, dt.UTC),
        is_superseded=by_own_run or (row.superseded_by is not None and seal is None),
        superseded_by=row.superseded_by,
        closed_because=seal.closed_because if seal else None,
        seal_digest=seal.digest if seal else None,
        answers=tuple(verdict_rows(session, plan_id)),
    )


def _base(plan: Plan) -> NamedDigest:
    base = plan.model_named("base")
    return NamedDigest(base.version, base.weights.digest)


def _result(session: Session, row: Round, aggregation: Result | None) -> NamedDigest | None:
    model = _committed_by(session, row)
    if model is None and row.outcome in ("reproduced", "differs"):
        model = model_of_interval(session, row.federation, row.branch, row.interval_index)
    if model is not None:
        return NamedDigest(model.name, model.digest)
    candidate = aggregation.candidate if aggregation else None
    return NamedDigest(None, candidate.digest) if candidate else None


def _committed_by(session: Session, row: Round) -> ModelRow | None:
    query = select(ModelRow).where(ModelRow.federation == row.federation, ModelRow.branch == row.branch)
    query = query.where(ModelRow.dag_run_id == row.dag_run_id, ModelRow.copy_of_id.is_(None))
    return session.scalar(query.order_by(ModelRow.version.desc()).limit(1))


def _result_of(session: Session, plan_id: str) -> Result | None:
    row = session.get(ResultRow, plan_id)
    return None if row is None else Result.from_bytes(row.body.encode(), MAX_STORED_BYTES)


def _scores(session: Session, plans: Sequence[PlanView]) -> tuple[FogScores, ...]:
    # An evaluation that is not the last plan is about the candidate of a training plan before the newest one.
    sent = [view.plan_id for view in plans if view.plan is not None]
    row = session.get(EvaluationRow, sent[-1]) if sent else None
    if row is None:
        return ()
    base, candidate = (sums_by_fog(row.scores[name]) for name in ("base", "candidate"))
    fogs = tuple(FogScores(fog, base[fog], candidate[fog]) for fog in candidate)
    return (*fogs, FogScores(None, ScoreSums.total(base.values()), ScoreSums.total(candidate.values())))
