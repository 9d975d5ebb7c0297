"""What the exporter asks the ledger of the fogs' answers: counts over all of them, numbers of the newest round."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from fogline.ledger.answers import settles, verdicts_of
from fogline.ledger.plans import candidate_purpose, training_purpose
from fogline.ledger.schema import AnswerRow, PlanRow, SealRow
from fogline.ledger.verdicts import NO_ANSWER
from fogline.messages.answer import Answer
from fogline.messages.cause import Cause
from fogline.messages.plan import Plan
from fogline.metrics.families import Sample
from fogline.rounds.judge import PlanState, Verdict

UNKNOWN = "unknown"
# Whoever may write to the topic chooses these answers' names, so they can't be labels.
OF_NOBODY = (Cause.UNKNOWN_PLAN, Cause.UNKNOWN_FOG, Cause.FOREIGN_KEY)
N_PLANS = 10
TO_CLOUD, TO_FOG = "to_cloud", "to_fog"


@dataclass(frozen=True)
class ClosedPlan:
    """A training plan that nothing more is awaited for, with its records by member."""

    state: PlanState
    dag_run_id: str
    rows: Mapping[str, Sequence[AnswerRow]]

    def answer_of(self, fog: str) -> AnswerRow | None:
        """Return the record that settled a member, else its last one."""
        rows = self.rows[fog]
        return next((row for row in rows if settles(row.verdict, row.cause)), rows[-1] if rows else None)

    def is_accepted(self, fog: str) -> bool:
        """Tell whether a member's update counts."""
        row = self.answer_of(fog)
        return row is not None and row.verdict == Verdict.ACCEPTED


def answer_counts(session: Session) -> dict[tuple[str, str, str, str], int]:
    """Count the answers by federation, branch, fog and verdict."""
    is_of_nobody = or_(AnswerRow.plan_id.is_(None), AnswerRow.cause.in_(OF_NOBODY))
    fog = case((is_of_nobody, UNKNOWN), else_=func.coalesce(AnswerRow.fog, UNKNOWN))
    branch = func.coalesce(PlanRow.branch, UNKNOWN)
    keys = (AnswerRow.federation, branch.label("branch"), fog.label("label_fog"), AnswerRow.verdict)
    query = select(*keys, func.count()).outerjoin(PlanRow, PlanRow.plan_id == AnswerRow.plan_id)
    rows = session.execute(query.group_by(AnswerRow.federation, "branch", "label_fog", AnswerRow.verdict))
    return {(federation, branch, fog, verdict): n for federation, branch, fog, verdict, n in rows}


def closed_plans(session: Session, federation: str, branch: str, now_ms: float) -> Iterator[ClosedPlan]:
    """Yield the newest runs' training plans, newest first, that are sealed or past their deadline."""
    query = select(PlanRow, SealRow.sealed_at).outerjoin(SealRow, SealRow.plan_id == PlanRow.plan_id)
    query = query.where(PlanRow.federation == federation, PlanRow.branch == branch)
    query = query.where(PlanRow.purpose == training_purpose(branch))
    seen: set[str] = set()
    for row, sealed_at in session.execute(query.order_by(PlanRow.number.desc()).limit(N_PLANS)):
        # A plan that a cleared task replaced was nobody's to answer; one without an append time was never sent.
        if row.dag_run_id in seen or row.body is None or row.append_time_ms is None:
            continue
        seen.add(row.dag_run_id)
        state = PlanState(Plan.from_bytes(row.body.encode()), row.append_time_ms)
        if sealed_at is None and now_ms <= state.deadline_ms:
            continue
        by_fog: dict[str, list[AnswerRow]] = {fog: [] for fog in state.plan.members}
        for answer in verdicts_of(session, state.plan.plan_id):
            if answer.fog in by_fog and answer.cause != Cause.FOREIGN_KEY:
                by_fog[answer.fog].append(answer)
        yield ClosedPlan(state, row.dag_run_id, by_fog)


def last_round_samples(session: Session, federation: str, branch: str, now_ms: float) -> Iterator[Sample]:
    """Tell what each member did in the newest closed training plan, and how long it has been without an update."""
    plans = closed_plans(session, federation, branch, now_ms)
    newest = next(plans, None)
    if newest is None:
        return
    plan = newest.state.plan
    yield Sample("fogline_interval_seconds", (federation, branch), plan.specification.interval.total_seconds())
    to_fog = _model_bytes(session, newest)
    for fog in plan.members:
        of = (federation, branch, fog)
        row = newest.answer_of(fog)
        verdict = NO_ANSWER if row is None else row.verdict
        yield Sample("fogline_last_round_verdict", (*of, verdict.replace(" ", "_")), 1)
        yield Sample("fogline_last_round_link_bytes", (*of, TO_FOG), to_fog)
        yield from _of_answer(of, newest.state, row)
    missing = {fog: 0 for fog in plan.members if not newest.is_accepted(fog)}
    in_a_row = dict.fromkeys(plan.members, 0) | dict.fromkeys(missing, 1)
    for older in plans if missing else ():
        missing = {fog: 0 for fog in missing if fog in older.rows and not older.is_accepted(fog)}
        for fog in missing:
            in_a_row[fog] += 1
        if not missing:
            break
    for fog, n in in_a_row.items():
        yield Sample("fogline_rounds_without_update_in_a_row", (federation, branch, fog), n)


def _of_answer(of: tuple[str, str, str], state: PlanState, row: AnswerRow | None) -> Iterator[Sample]:
    answer = Answer.from_bytes(row.body.encode()) if row is not None and row.body else None
    if row is None or answer is None:
        return
    yield Sample("fogline_last_round_answer_seconds", of, (row.append_time_ms - state.append_time_ms) / 1000)
    blocks = answer.weights.blocks if answer.weights else ()
    n_bytes = len(row.body or "") + sum(block.n_bytes for block in blocks)
    yield Sample("fogline_last_round_link_bytes", (*of, TO_CLOUD), n_bytes)
    if answer.kind == "update":
        yield Sample("fogline_last_round_examples", of, answer.n_examples)
        if answer.update_norm_l2 is not None:
            yield Sample("fogline_last_round_update_norm_l2", of, answer.update_norm_l2)


def _model_bytes(session: Session, newest: ClosedPlan) -> int:
    query = select(PlanRow.body).where(PlanRow.dag_run_id == newest.dag_run_id, PlanRow.body.is_not(None))
    plan = newest.state.plan
    query = query.where(PlanRow.federation == plan.federation, PlanRow.branch == plan.branch)
    body = session.scalar(
        query.where(PlanRow.purpose == candidate_purpose(plan.branch)).order_by(PlanRow.number.desc()).limit(1)
    )
    plans = [plan, *([Plan.from_bytes(body.encode())] if body else [])]
    # A fog keeps the last few models: one that two plans name is fetched once.
    by_digest = {model.weights.digest: model.weights for plan in plans for model in plan.models}
    return sum(block.n_bytes for weights in by_digest.values() for block in weights.blocks)
