"""Branches in the ledger: where one begins, head moves by people (promote and roll back), and what comes next."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from fogline.federation.settings import Federation
from fogline.ledger import models, rounds
from fogline.ledger.schema import HeadMove, ModelRow
from fogline.messages.plan import Interval
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import interval_at
from fogline.rounds.order import first_due
from fogline.steps.head import send_head, send_unsent_head
from fogline.steps.services import Services, utc_now
from fogline.versions import MAIN, Version, parse_version


@dataclass(frozen=True)
class MovedHead:
    """A head move by a person; ``origin`` is the branch's model that was promoted."""

    move: HeadMove
    model: ModelRow
    before: str
    origin: str | None = None


def begin_branch(session: Session, federation: Federation, moved_by: str, now: dt.datetime) -> None:
    """Give a branch its first head, the version that its file names; later calls check that the file still does.

    Raises
    ------
    LedgerError
        There is no such version.
    RoundRefused
        The branch began elsewhere.
    """
    if federation.begins_at is None:
        return
    origin, has_begun = _origin(session, federation)
    if not has_begun:
        row = models.copy_model(session, origin, federation.branch, origin.version, now)
        models.move_head(session, row, 1, "branched", moved_by, now)


def roll_back(services: Services, federation: Federation, to: Version, moved_by: str) -> MovedHead:
    """Move a branch's head back to one of its ancestors; the intervals after it can be trained again.

    Raises
    ------
    LedgerError
        There is no such version.
    RoundRefused
        The version is the head already, or not on its ancestry.
    """
    name, branch = federation.federation, federation.branch
    now = utc_now()
    with services.ledger.transaction() as session:
        head, chain = _head(session, name, branch), models.chain_of(session, name, branch)
        asked = models.version_of(session, name, to)
        # One plan is one model, under whatever name: where a promoted branch began, the chain has that branch's.
        if asked.plan_id not in {one.plan_id for one in chain[:-1]}:
            reach = ", ".join(one.name for one in chain[-6:-1]) or "none"
            is_head = asked.plan_id == chain[-1].plan_id
            what = "is the head already" if is_head else f"is not on the way to {chain[-1].name}"
            raise RoundRefused(f"{to} {what}; {branch} can be rolled back to {reach} and what lies before")
        # The head of a branch is a version of its own, so what only another branch has gets one.
        row = models.own_version(session, asked, branch) or models.copy_model(
            session, asked, branch, models.next_version(session, name, branch), now
        )
        move = models.move_head(session, row, head.head_no + 1, "rolled back", moved_by, now)
    send_head(services, federation)
    return MovedHead(move, row, chain[-1].name)


def promote(services: Services, federation: Federation, branch: str, moved_by: str) -> MovedHead:
    """Make another branch's head the next version of this branch.

    Raises
    ------
    RoundRefused
        The branch has no model of its own, or its model is this branch's head already.
    """
    name, own = federation.federation, federation.branch
    now = utc_now()
    with services.ledger.transaction() as session:
        head = _head(session, name, own)
        origin = models.model_of_head(session, _head(session, name, branch))
        current = models.model_of_head(session, head)
        if current.plan_id == origin.plan_id:
            raise RoundRefused(f"{origin.name} is what {own} has already ({current.name}); nothing to promote")
        row = models.copy_model(session, origin, own, models.next_version(session, name, own), now)
        move = models.move_head(session, row, head.head_no + 1, "promoted", moved_by, now)
    send_head(services, federation)
    return MovedHead(move, row, current.name, origin.name)


def first_interval(services: Services, federation: Federation) -> Interval:
    """Return the first interval that a branch trains, which is checked to be able to begin where its file says.

    Raises
    ------
    LedgerError
        There is no such version.
    RoundRefused
        The ledger has a branch of that name, which began elsewhere.
    """
    with services.ledger.transaction() as session:
        origin, _ = _origin(session, federation)
    return interval_at(federation, 0 if origin.interval_index is None else origin.interval_index + 1)


def move_of_run(services: Services, federation: Federation, dag_run_id: str) -> MovedHead | None:
    """Return the head move that a DAG run made before, sent if it wasn't: a task run again moves nothing twice."""
    with services.ledger.transaction() as session:
        moves = models.moves_of(session, federation.federation, federation.branch)
        number = next((n for n, one in enumerate(moves) if one.moved_by == dag_run_id), None)
        if number is None:
            return None
        row = models.model_of_head(session, moves[number])
        before = models.model_of_head(session, moves[number - 1]).name
    send_unsent_head(services, federation)
    return MovedHead(moves[number], row, before)


def next_interval(services: Services, federation: Federation) -> Interval:
    """Return the first interval after a branch's head that can be trained."""
    name, branch = federation.federation, federation.branch
    with services.ledger.transaction() as session:
        row = models.model_of_head(session, _head(session, name, branch))
        index = -1 if row.interval_index is None else row.interval_index
        ended = rounds.intervals_ended_after(session, name, branch, index)
    return interval_at(federation, first_due(index, ended))


def _origin(session: Session, federation: Federation) -> tuple[ModelRow, bool]:
    name, branch = federation.federation, federation.branch
    assert federation.begins_at is not None
    origin = models.version_of(session, name, parse_version(federation.begins_at, MAIN))
    moves = models.moves_of(session, name, branch)
    began_at = models.model_of_head(session, moves[0]).copy_of_id if moves else None
    if moves and began_at != origin.id:
        then = session.get_one(ModelRow, began_at).name
        raise RoundRefused(
            f"from: {branch} began at {then}, and its file names {origin.name} now; put from: {then} back, or give the "
            "branch a new name"
        )
    return origin, bool(moves)


def _head(session: Session, federation: str, branch: str) -> HeadMove:
    head = models.head_of(session, federation, branch)
    if head is None:
        raise RoundRefused(f"{federation} has no branch {branch} with a model; train a round on it first")
    return head
