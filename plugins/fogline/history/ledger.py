"""The ledger and the model store as a history: what the others are filled from."""

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from fogline.artifacts import ArtifactStore
from fogline.history.base import History
from fogline.history.entry import FogScore, HistoryEntry, Move
from fogline.history.errors import HistoryError
from fogline.ledger.database import Ledger
from fogline.ledger.history import branches_of, sums_by_fog
from fogline.ledger.models import moves_of, version_of
from fogline.ledger.schema import HeadMove, ModelRow, PlanRow
from fogline.messages.plan import Plan
from fogline.versions import Version

_BASE, _ORIGIN = aliased(ModelRow), aliased(ModelRow)


class LedgerHistory(History):
    """Reads what the ledger and the model store hold; new versions come from rounds alone."""

    title = "the ledger"

    def __init__(self, ledger: Ledger, store: ArtifactStore) -> None:
        self._ledger, self._store = ledger, store

    def prepare(self) -> None:
        """Do nothing: the ledger has its own migrations."""

    def close(self) -> None:
        """Give the connections back."""
        self._ledger.engine.dispose()

    def branches(self, federation: str) -> list[str]:
        """Return the branches that have a head, by name."""
        with self._ledger.transaction() as session:
            return branches_of(session, federation)

    def held(self, federation: str, branch: str) -> dict[int, str]:
        """Return the digests of a branch's versions, by number, in order."""
        query = select(ModelRow.version, ModelRow.digest).order_by(ModelRow.version)
        query = query.where(ModelRow.federation == federation, ModelRow.branch == branch)
        with self._ledger.transaction() as session:
            return {row.version: row.digest for row in session.execute(query)}

    def versions(self, federation: str, branch: str) -> list[HistoryEntry]:
        """Return a branch's versions, in order."""
        with self._ledger.transaction() as session:
            return [_entry(row) for row in session.execute(_query(federation, branch))]

    def find(self, federation: str, version: Version) -> HistoryEntry | None:
        """Return a version; None when there is none."""
        query = _query(federation, version.branch).where(ModelRow.version == version.number)
        with self._ledger.transaction() as session:
            row = session.execute(query).one_or_none()
            return None if row is None else _entry(row)

    def moves(self, federation: str, branch: str) -> list[Move]:
        """Return the moves of a branch's head, in order."""
        with self._ledger.transaction() as session:
            return [_move(row) for row in moves_of(session, federation, branch)]

    def _content(self, entry: HistoryEntry) -> bytes:
        with self._ledger.transaction() as session:
            path = version_of(session, entry.federation, entry.name).path
        return self._store.read(path)

    def _add_version(self, entry: HistoryEntry, content: bytes) -> bool:
        if self.find(entry.federation, entry.name) is None:
            raise HistoryError(f"{self.title} has no {entry.name} of {entry.federation}: only a round commits one")
        return False

    def _add_move(self, move: Move) -> bool:
        if move.head_no > len(self.moves(move.federation, move.branch)):
            raise HistoryError(f"{self.title} has no head move {move.head_no} of {move.branch}: only a round makes one")
        return False


def _query(federation: str, branch: str) -> Select[Any]:
    head_no = select(func.min(HeadMove.head_no)).where(
        HeadMove.federation == ModelRow.federation,
        HeadMove.branch == ModelRow.branch,
        HeadMove.version == ModelRow.version,
    )
    names = (_BASE.branch, _BASE.version, _ORIGIN.branch, _ORIGIN.version)
    query: Select[Any] = select(ModelRow, PlanRow.body, head_no.scalar_subquery(), *names)
    query = query.join(PlanRow, PlanRow.plan_id == ModelRow.plan_id)
    query = query.outerjoin(_BASE, _BASE.id == ModelRow.base_id).outerjoin(_ORIGIN, _ORIGIN.id == ModelRow.copy_of_id)
    query = query.where(ModelRow.federation == federation, ModelRow.branch == branch)
    return query.order_by(ModelRow.version)


def _entry(row: Any) -> HistoryEntry:
    model, body, head_no, base_branch, base_number, origin_branch, origin_number = row
    plan = Plan.from_bytes(body.encode())
    before, after = sums_by_fog(model.base_scores), sums_by_fog(model.scores)
    return HistoryEntry(
        federation=model.federation,
        branch=model.branch,
        version=model.version,
        base=_name(base_branch, base_number),
        copy_of=_name(origin_branch, origin_number),
        interval_index=model.interval_index,
        interval_start=plan.interval.start if plan.interval else None,
        interval_end=plan.interval.end if plan.interval else None,
        plan_id=model.plan_id,
        dag_run_id=model.dag_run_id,
        digest=model.digest,
        head_no=head_no,
        committed_at=model.committed_at,
        strategy=plan.specification.strategy.rule,
        n_examples=model.n_examples,
        scores={
            fog: FogScore(n=sums.n, rmse_before=before[fog].rmse if fog in before else None, rmse_after=sums.rmse)
            for fog, sums in after.items()
        },
    )


def _name(branch: str | None, number: int | None) -> str | None:
    return None if branch is None or number is None else str(Version(branch, number))


def _move(row: HeadMove) -> Move:
    return Move(
        federation=row.federation,
        branch=row.branch,
        head_no=row.head_no,
        version=row.version,
        reason=row.reason,
        moved_by=row.moved_by,
        moved_at=row.moved_at,
    )
