"""Branches in the ledger: where one begins, and head moves by people: promote and roll back."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from fogline.federation.settings import Federation
from fogline.ledger import models
from fogline.ledger.schema import HeadMove, ModelRow
from fogline.rounds.errors import RoundRefused
from fogline.steps.head import send_head
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
    name, branch = federation.federation, federation.branch
    begins_at = parse_version(federation.begins_at, MAIN)
    origin = models.version_of(session, name, begins_at)
    moves = models.moves_of(session, name, branch)
    if not moves:
        row = models.copy_model(session, origin, branch, origin.version, now)
        models.move_head(session, row, 1, "branched", moved_by, now)
        return
    first = models.model_of_head(session, moves[0])
    if first.copy_of_id != origin.id:
        raise RoundRefused(
            f"from: {branch} began at another version than {begins_at}, which its file names now; put that back, or "
            "give the branch a new name"
        )


def roll_back(services: Services, federation: Federation, to: Version, moved_by: str) -> MovedHead:
    """Move a branch's head back to one of its ancestors; the intervals after it can be trained again.

    Raises
    ------
    RoundRefused
        The version is the head already, or not on its ancestry.
    """
    name, branch = federation.federation, federation.branch
    now = utc_now()
    with services.ledger.transaction() as session:
        head, chain = _head(session, name, branch), models.chain_of(session, name, branch)
        row = next((one for one in chain if (one.branch, one.version) == to), None)
        if row is None or row is chain[-1]:
            reach = ", ".join(one.name for one in chain[-6:-1]) or "none"
            what = "is the head already" if row else f"is not on the way to {chain[-1].name}"
            raise RoundRefused(f"{to} {what}; {branch} can be rolled back to {reach} and what lies before")
        if row.branch != branch:
            # The head of a branch is a version of its own, so what another branch trained gets one.
            row = models.copy_model(session, row, branch, models.next_version(session, name, branch), now)
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


def _head(session: Session, federation: str, branch: str) -> HeadMove:
    head = models.head_of(session, federation, branch)
    if head is None:
        raise RoundRefused(f"{federation} has no branch {branch} with a model; train a round on it first")
    return head
