"""Models and the head in the ledger: versions only grow, and a commit is fenced by head number and plan."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fogline.ledger.database import LedgerError
from fogline.ledger.schema import HeadMove, ModelRow, PlanRow


@dataclass(frozen=True)
class NewModel:
    """What is committed as the next version."""

    base_version: int | None
    digest: str
    path: str
    plan_id: str
    dag_run_id: str
    interval_index: int | None
    n_examples: int
    base_scores: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None


def head_of(session: Session, federation: str, branch: str) -> HeadMove | None:
    """Return the newest head move of a branch; None before `initialise_federation`."""
    return session.scalar(
        select(HeadMove)
        .where(HeadMove.federation == federation, HeadMove.branch == branch)
        .order_by(HeadMove.head_no.desc())
        .limit(1)
    )


def version_of(session: Session, federation: str, branch: str, version: int) -> ModelRow:
    """Return a committed version.

    Raises
    ------
    LedgerError
        There is no such version; names the newest.
    """
    query = select(ModelRow).where(ModelRow.federation == federation, ModelRow.branch == branch)
    row = session.scalar(query.where(ModelRow.version == version))
    if row is None:
        newest = _newest_version(session, federation, branch)
        raise LedgerError(f"{branch}@{version} does not exist; the newest version is {branch}@{newest}")
    return row


def chain_of(session: Session, federation: str, branch: str) -> list[ModelRow]:
    """Return the head's ancestry, from version 0 to the head."""
    head = head_of(session, federation, branch)
    if head is None:
        return []
    rows = session.scalars(select(ModelRow).where(ModelRow.federation == federation, ModelRow.branch == branch))
    by_version = {row.version: row for row in rows}
    chain, version = [], head.version
    while version is not None:
        chain.append(by_version[version])
        version = by_version[version].base_version  # type: ignore[assignment]
    return chain[::-1]


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
    newest = _newest_version(session, federation, branch)
    row = ModelRow(
        federation=federation,
        branch=branch,
        version=0 if newest is None else newest + 1,
        committed_at=now,
        **vars(model),
    )
    # The primary key (federation, branch, head_no) is the fence: of two committers at once, one fails.
    move = HeadMove(
        federation=federation,
        branch=branch,
        head_no=expected_head_no + 1,
        version=row.version,
        plan_id=model.plan_id,
        reason="committed",
        moved_at=now,
    )
    session.add_all([row, move])
    session.flush()
    return row


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


def link_of_interval(chain: Sequence[ModelRow], interval_index: int) -> ModelRow | None:
    """Return the version on a chain that was trained on an interval."""
    return next((row for row in chain if row.interval_index == interval_index), None)
