"""Models and the head in the ledger: versions only grow, and every move of a head is fenced and on record."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from fogline.ledger.database import LedgerError
from fogline.ledger.schema import HeadMove, ModelRow, PlanRow, branch_of
from fogline.rounds.order import ChainLink
from fogline.versions import Version

# With many fogs the scores are far larger than all the rest.
WITHOUT_SCORES = (defer(ModelRow.scores), defer(ModelRow.base_scores))


@dataclass(frozen=True)
class NewModel:
    """What is committed as the next version."""

    base_id: int | None
    digest: str
    path: str
    plan_id: str
    dag_run_id: str
    interval_index: int | None
    n_examples: int
    base_scores: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None


def head_of(session: Session, federation: str, branch: str) -> HeadMove | None:
    """Return the newest head move of a branch; None before it has a model."""
    return session.scalar(
        select(HeadMove)
        .where(HeadMove.federation == federation, HeadMove.branch == branch)
        .order_by(HeadMove.head_no.desc())
        .limit(1)
    )


def moves_of(session: Session, federation: str, branch: str) -> list[HeadMove]:
    """Return all head moves of a branch, in order."""
    query = select(HeadMove).where(HeadMove.federation == federation, HeadMove.branch == branch)
    return list(session.scalars(query.order_by(HeadMove.head_no)))


def version_of(session: Session, federation: str, version: Version) -> ModelRow:
    """Return a committed version.

    Raises
    ------
    LedgerError
        There is no such version; names the newest of its branch.
    """
    branch, number = version
    query = select(ModelRow).where(ModelRow.federation == federation, ModelRow.branch == branch)
    row = session.scalar(query.where(ModelRow.version == number))
    if row is None:
        newest = _newest_version(session, federation, branch)
        remedy = f"the newest version is {branch}@{newest}" if newest is not None else f"{branch} has no model yet"
        raise LedgerError(f"{version} does not exist; {remedy}")
    return row


def model_of_head(session: Session, move: HeadMove) -> ModelRow:
    """Return the model that a head move points to."""
    return version_of(session, move.federation, Version(move.branch, move.version))


def newest_commit(session: Session, federation: str, branch: str) -> dt.datetime | None:
    """Return when a branch's newest version was committed; None before it has one."""
    query = select(ModelRow.committed_at).where(ModelRow.federation == federation, ModelRow.branch == branch)
    return session.scalar(query.order_by(ModelRow.version.desc()).limit(1))


def chain_of(session: Session, federation: str, branch: str, *, with_scores: bool = False) -> list[ModelRow]:
    """Return the head's ancestry, from version 0 to the head, across the branches that it passes.

    Parameters
    ----------
    with_scores
        Also load the scores.
    """
    head = head_of(session, federation, branch)
    if head is None:
        return []
    ancestry = _ancestry(head)
    query = select(ModelRow).join(ancestry, ModelRow.id == ancestry.c.id).order_by(ModelRow.id)
    if not with_scores:
        query = query.options(*WITHOUT_SCORES)
    return list(session.scalars(query))


def links_of(session: Session, federation: str, branch: str) -> list[ChainLink]:
    """Return the head's ancestry as links: what a round is chosen by, at a fraction of `chain_of`'s time."""
    head = head_of(session, federation, branch)
    if head is None:
        return []
    ancestry = _ancestry(head)
    columns = select(ModelRow.branch, ModelRow.version, ModelRow.interval_index, ModelRow.plan_id)
    query = columns.join(ancestry, ModelRow.id == ancestry.c.id).order_by(ModelRow.id)
    return [
        ChainLink(Version(of_branch, number), interval_index, branch_of(plan_id))
        for of_branch, number, interval_index, plan_id in session.execute(query)
    ]


def model_of_interval(session: Session, federation: str, branch: str, interval_index: int) -> ModelRow | None:
    """Return the version on the head's ancestry that was trained on an interval."""
    head = head_of(session, federation, branch)
    if head is None:
        return None
    ancestry = _ancestry(head)
    query = select(ModelRow).join(ancestry, ModelRow.id == ancestry.c.id)
    return session.scalar(query.where(ModelRow.interval_index == interval_index).options(*WITHOUT_SCORES))


def _ancestry(head: HeadMove) -> CTE:
    """Return the ids of a head's ancestry; a base is there before what is trained from it, so ids are in order."""
    start = select(ModelRow.id, ModelRow.base_id).where(
        ModelRow.federation == head.federation, ModelRow.branch == head.branch, ModelRow.version == head.version
    )
    ancestry = start.cte("ancestry", recursive=True)
    return ancestry.union_all(select(ModelRow.id, ModelRow.base_id).join(ancestry, ModelRow.id == ancestry.c.base_id))


def commit_version(
    session: Session,
    federation: str,
    branch: str,
    model: NewModel,
    expected_head_no: int,
    now: dt.datetime,
) -> ModelRow:
    """Add the next version and move the head to it, in the caller's transaction.

    Raises
    ------
    LedgerError
        The head moved since the plan was made, or the plan was superseded: nothing is committed.
    """
    _fence(session, federation, branch, model.plan_id, expected_head_no)
    row = ModelRow(
        federation=federation,
        branch=branch,
        version=next_version(session, federation, branch),
        committed_at=now,
        **vars(model),
    )
    session.add(row)
    move_head(session, row, expected_head_no + 1, "committed", model.dag_run_id, now)
    return row


def copy_model(session: Session, origin: ModelRow, branch: str, version: int, now: dt.datetime) -> ModelRow:
    """Give a model a version of another branch: where that branch begins, or is given a promoted model.

    The copy has its origin's base, plan and interval, so its ancestry and its explanation are the origin's.
    """
    taken = ("federation", "base_id", "digest", "path", "plan_id", "dag_run_id", "interval_index", "n_examples",
             "base_scores", "scores")  # fmt: skip
    values = {name: getattr(origin, name) for name in taken}
    row = ModelRow(branch=branch, version=version, copy_of_id=origin.id, committed_at=now, **values)
    session.add(row)
    session.flush()
    return row


def own_version(session: Session, model: ModelRow, branch: str) -> ModelRow | None:
    """Return the first version of a branch that is the same model as one of any branch."""
    query = select(ModelRow).where(ModelRow.federation == model.federation, ModelRow.branch == branch)
    return session.scalar(query.where(ModelRow.plan_id == model.plan_id).order_by(ModelRow.id).limit(1))


def move_head(session: Session, row: ModelRow, head_no: int, reason: str, moved_by: str, now: dt.datetime) -> HeadMove:
    """Append a head move to a version of the branch.

    The primary key (federation, branch, head_no) is the fence: of two movers at once, one fails.

    Raises
    ------
    LedgerError
        Another move has that number already.
    """
    move = HeadMove(
        federation=row.federation,
        branch=row.branch,
        head_no=head_no,
        version=row.version,
        plan_id=row.plan_id,
        reason=reason,
        moved_by=moved_by,
        moved_at=now,
    )
    session.add(move)
    try:
        session.flush()
    except IntegrityError as error:
        raise LedgerError(f"the head of {row.branch} moved at this very moment; look at it and try again") from error
    return move


def next_version(session: Session, federation: str, branch: str) -> int:
    """Return the number of a branch's next version."""
    newest = _newest_version(session, federation, branch)
    return 0 if newest is None else newest + 1


def _newest_version(session: Session, federation: str, branch: str) -> int | None:
    query = select(func.max(ModelRow.version)).where(ModelRow.federation == federation, ModelRow.branch == branch)
    return session.scalar(query)


def _fence(session: Session, federation: str, branch: str, plan_id: str, expected_head_no: int) -> None:
    plan = session.scalar(select(PlanRow).where(PlanRow.plan_id == plan_id).with_for_update())
    if plan is None or plan.superseded_by is not None:
        raise LedgerError(f"plan {plan_id} was superseded; its candidate is not committed")
    head = head_of(session, federation, branch)
    head_no = 0 if head is None else head.head_no
    if head_no != expected_head_no:
        raise LedgerError(
            f"the head of {branch} has moved {head_no - expected_head_no} times since plan {plan_id} was made; "
            "clear announce_round and what follows it"
        )
