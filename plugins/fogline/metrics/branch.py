"""What the exporter asks the ledger of one branch: by the newest rows alone, so that a long history costs nothing."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from fogline.ledger.history import sums_by_fog
from fogline.ledger.models import head_of, model_of_head, newest_commit
from fogline.ledger.plans import candidate_purpose
from fogline.ledger.rounds import WITHOUT_MODEL
from fogline.ledger.schema import EvaluationRow, PlanRow, Round
from fogline.messages.plan import Plan
from fogline.metrics.families import Sample
from fogline.rounds.gate import error_of
from fogline.sums import ScoreSums

N_ROUNDS = 100


def round_samples(session: Session, federation: str, branch: str) -> Iterator[Sample]:
    """Tell of the open round and the newest ended ones."""
    of = (federation, branch)
    rounds = select(Round).where(Round.federation == federation, Round.branch == branch)
    is_open = session.scalar(rounds.where(Round.is_open))
    yield Sample("fogline_open_round", of, is_open is not None)
    if is_open is not None:
        yield Sample("fogline_open_round_opened_timestamp_seconds", of, is_open.opened_at.timestamp())
        yield Sample("fogline_open_round_closes_by_timestamp_seconds", of, is_open.closes_by.timestamp())
    newest = list(session.scalars(rounds.where(~Round.is_open).order_by(Round.ended_at.desc()).limit(N_ROUNDS)))
    n_without = next((n for n, row in enumerate(newest) if row.outcome not in WITHOUT_MODEL), len(newest))
    yield Sample("fogline_rounds_without_model_in_a_row", of, n_without)
    last = newest[0] if newest else None
    if last is not None and last.ended_at is not None:
        duration = last.ended_at - last.opened_at
        yield Sample("fogline_last_round_ended_timestamp_seconds", of, last.ended_at.timestamp())
        yield Sample("fogline_last_round_duration_seconds", of, duration.total_seconds())


def head_samples(session: Session, federation: str, branch: str) -> Iterator[Sample]:
    """Tell of the head and of the newest commit; nothing before the first model."""
    of = (federation, branch)
    head = head_of(session, federation, branch)
    if head is None:
        return
    yield Sample("fogline_head_version", of, head.version)
    yield Sample("fogline_head_examples", of, model_of_head(session, head).n_examples)
    committed_at = newest_commit(session, federation, branch)
    if committed_at is not None:
        yield Sample("fogline_last_commit_timestamp_seconds", of, committed_at.timestamp())


def score_samples(session: Session, federation: str, branch: str) -> Iterator[Sample]:
    """Tell what the newest evaluation of a candidate said of it and of its base."""
    query = select(EvaluationRow.scores, PlanRow.body).join(PlanRow, PlanRow.plan_id == EvaluationRow.plan_id)
    query = query.where(PlanRow.federation == federation, PlanRow.branch == branch)
    query = query.where(PlanRow.purpose == candidate_purpose(branch)).order_by(PlanRow.number.desc())
    row = session.execute(query.limit(1)).one_or_none()
    if row is None or row.body is None:
        return
    plan = Plan.from_bytes(row.body.encode())
    for model, kept in row.scores.items():
        by_fog = sums_by_fog(kept)
        everybody = ScoreSums.total(by_fog.values())
        for measure, value in _errors(plan, everybody):
            yield Sample(f"fogline_evaluation_{measure}", (federation, branch, model), value)
        for fog, sums in by_fog.items():
            for measure, value in _errors(plan, sums):
                yield Sample(f"fogline_evaluation_fog_{measure}", (federation, branch, fog, model), value)
            if model == "candidate":
                yield Sample("fogline_evaluation_fog_rows", (federation, branch, fog), sums.n)


def _errors(plan: Plan, sums: ScoreSums) -> Iterator[tuple[str, float]]:
    is_classes = plan.specification.model.task == "classification"
    error = error_of(sums, is_classes)
    if error is None:
        return
    if is_classes:
        yield "wrong_ratio", error
        return
    yield "rmse", error
    scale = plan.scaler.target if plan.scaler else None
    if scale is not None:
        yield "loss", (error / scale.sd) ** 2 / 2
