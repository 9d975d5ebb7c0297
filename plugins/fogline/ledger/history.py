"""What the ledger tells of a branch's rounds, one row per committed version."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from fogline.ledger.models import chain_of
from fogline.ledger.plans import seal_of
from fogline.ledger.schema import EvaluationRow, HeadMove
from fogline.rounds.compare import ScoredLink
from fogline.sums import ScoreSums
from fogline.versions import Version


@dataclass(frozen=True)
class CommittedRound:
    """A round on the chain.

    Attributes
    ----------
    members, answered
        The fogs that were asked, and those whose answer was accepted.
    before, after
        Scores of base and candidate on the held-out days, all fogs together.
    """

    version: int
    interval_index: int
    dag_run_id: str
    digest: str
    n_examples: int
    members: tuple[str, ...]
    answered: tuple[str, ...]
    before: ScoreSums
    after: ScoreSums


def committed_rounds(session: Session, federation: str, branch: str) -> list[CommittedRound]:
    """Return the rounds on the head's ancestry, in order."""
    found = []
    for row in chain_of(session, federation, branch, with_scores=True):
        if row.interval_index is None:
            continue
        seal = seal_of(session, row.plan_id)
        found.append(
            CommittedRound(
                version=row.version,
                interval_index=row.interval_index,
                dag_run_id=row.dag_run_id,
                digest=row.digest,
                n_examples=row.n_examples,
                members=seal.plan.members if seal else (),
                answered=tuple(answer.fog for answer in seal.answers) if seal else (),
                before=_total(row.base_scores),
                after=_total(row.scores),
            )
        )
    return found


def evaluation_scores(session: Session, plan_id: str) -> dict[str, ScoreSums]:
    """Return the scores of an evaluation by model, all fogs together."""
    row = session.scalars(select(EvaluationRow).where(EvaluationRow.plan_id == plan_id)).one()
    return {name: _total(by_fog) for name, by_fog in row.scores.items()}


def _total(by_fog: dict[str, dict[str, float]] | None) -> ScoreSums:
    return ScoreSums.total(sums_by_fog(by_fog).values())


def sums_by_fog(kept: dict[str, dict[str, float]] | None) -> dict[str, ScoreSums]:
    """Return a model's scores as the ledger keeps them, by fog; none before it was evaluated."""
    return {fog: ScoreSums.model_validate(sums) for fog, sums in (kept or {}).items()}


def scored_chain(session: Session, federation: str, branch: str) -> list[ScoredLink]:
    """Return a branch's ancestry with the scores that each version had when it was published."""
    return [
        ScoredLink(
            version=Version(row.branch, row.version),
            interval_index=row.interval_index,
            plan_id=row.plan_id,
            scores=sums_by_fog(row.scores),
        )
        for row in chain_of(session, federation, branch, with_scores=True)
    ]


def branches_of(session: Session, federation: str) -> list[str]:
    """Return the branches that have a head, by name."""
    query = select(HeadMove.branch).where(HeadMove.federation == federation).distinct()
    return sorted(session.scalars(query))
