"""What the ledger tells of a whole federation, gathered for people to read; how it is laid out is not decided here.

However many rounds there are, it takes the same few statements.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session, defer

from fogline.federation.settings import Specification
from fogline.ledger.history import sums_by_fog
from fogline.ledger.plans import ANY_BRANCH, training_purpose
from fogline.ledger.schema import HeadMove, ModelRow, PlanRow
from fogline.messages.plan import Plan
from fogline.rounds.gate import error_of
from fogline.rounds.intervals import interval_at
from fogline.sums import ScoreSums
from fogline.versions import MAIN, Version

N_MOVES_SHOWN = 5


@dataclass(frozen=True)
class ScoredVersion:
    """A version on a head's ancestry and its error on the held-out days up to its interval's end.

    Attributes
    ----------
    n_scored
        The held-out rows that were scored, of all fogs together.
    error
        RMSE, or the share of wrong classes, of all fogs together; None where there was nothing to score.
    """

    interval_index: int
    version: Version
    n_scored: int
    error: float | None


@dataclass(frozen=True)
class BranchView:
    """A branch that has a model.

    Attributes
    ----------
    head, digest
        Its current version and that one's digest.
    head_no
        How often its head was moved.
    n_models, n_on_chain
        Its own versions, and the models on the way to its head, which other branches may have trained.
    began_at
        The version of another branch that it started from; None for one that began with the federation.
    moves
        Its newest head moves, newest first.
    metric
        The scored versions on the way to its head, by interval.
    """

    name: str
    head: str
    digest: str
    head_no: int
    n_models: int
    n_on_chain: int
    began: dt.datetime
    began_at: str | None
    moves: tuple[HeadMove, ...]
    metric: tuple[ScoredVersion, ...]


@dataclass(frozen=True)
class FederationView:
    """A federation.

    Attributes
    ----------
    specification
        That of main's newest training plan, else of another branch's; None before its first round.
    fogs
        The members of each branch's newest training plan.
    branches
        Those that have a model, `main` first.
    """

    federation: str
    specification: Specification | None
    fogs: tuple[str, ...]
    branches: tuple[BranchView, ...]

    @property
    def is_classes(self) -> bool:
        """Whether errors are shares of wrong classes."""
        return self.specification is not None and self.specification.model.task == "classification"

    @property
    def error_name(self) -> str:
        """What the errors are, with the unit."""
        if self.is_classes:
            return "wrong classes"
        return f"RMSE {self.specification.target.unit if self.specification else ''}".strip()

    @property
    def intervals(self) -> tuple[int, ...]:
        """All intervals of which a branch has a model, in order."""
        return tuple(sorted({one.interval_index for branch in self.branches for one in branch.metric}))

    @property
    def is_scored(self) -> bool:
        """Whether there is any error to show or draw."""
        return any(one.error is not None for branch in self.branches for one in branch.metric)

    @property
    def by_interval(self) -> list[tuple[int, list[ScoredVersion | None]]]:
        """Each interval, newest first, with the version of each branch."""
        by_branch = [{one.interval_index: one for one in branch.metric} for branch in self.branches]
        return [(index, [of_branch.get(index) for of_branch in by_branch]) for index in reversed(self.intervals)]

    def error_lines(self) -> dict[str, list[tuple[dt.datetime, float]]]:
        """Return the starts of intervals and the errors of each branch's own versions, from where it began on."""
        return {
            branch.name: [
                (self.start_of(one.interval_index), one.error)
                for one in branch.metric
                if one.error is not None and one.version.branch == branch.name
            ]
            for branch in self.branches
        }

    def start_of(self, interval_index: int) -> dt.datetime:
        """Return where an interval begins; only a federation with a round has any."""
        assert self.specification is not None
        return interval_at(self.specification, interval_index).start


def branches_by_federation(session: Session) -> dict[str, list[str]]:
    """Return the branches that have a round or a model, by federation; everything in order of name."""
    heads = select(HeadMove.federation, HeadMove.branch)
    known = session.execute(union(heads, select(PlanRow.federation, PlanRow.branch)))
    found: defaultdict[str, list[str]] = defaultdict(list)
    for federation, branch in sorted(tuple(row) for row in known):
        found[federation].append(branch)
    return dict(found)


def federation_view(session: Session, federation: str, branches: Collection[str]) -> FederationView:
    """Gather what the ledger has on some branches of a federation."""
    newest = _newest_specifications(session, federation, branches)
    specification = newest[0] if newest else None
    is_classes = specification is not None and specification.model.task == "classification"
    models, moves = _models(session, federation), _moves(session, federation, branches)
    views = (_branch_view(name, models, moves[name], is_classes) for name in moves)
    return FederationView(
        federation=federation,
        specification=specification,
        fogs=tuple(sorted({fog for one in newest for fog in one.fogs})),
        branches=tuple(sorted(views, key=lambda one: _main_first(one.name))),
    )


def _main_first(branch: str) -> tuple[bool, str]:
    return branch != MAIN, branch


def _newest_specifications(session: Session, federation: str, branches: Collection[str]) -> list[Specification]:
    is_asked = (PlanRow.federation == federation, PlanRow.branch.in_(branches))
    is_training = (PlanRow.purpose.like(training_purpose(ANY_BRANCH)), PlanRow.body.is_not(None))
    numbers = select(func.max(PlanRow.number)).where(*is_asked, *is_training).group_by(PlanRow.branch)
    rows = session.execute(select(PlanRow.branch, PlanRow.body).where(PlanRow.number.in_(numbers)))
    bodies = [body for _, body in sorted(rows, key=lambda row: _main_first(row.branch)) if body]
    return [Plan.from_bytes(body.encode()).specification for body in bodies]


def _models(session: Session, federation: str) -> dict[int, ModelRow]:
    # Ancestries pass through branches, so none can be left out.
    query = select(ModelRow).where(ModelRow.federation == federation).options(defer(ModelRow.base_scores))
    return {row.id: row for row in session.scalars(query.order_by(ModelRow.id))}


def _moves(session: Session, federation: str, branches: Collection[str]) -> dict[str, list[HeadMove]]:
    query = select(HeadMove).where(HeadMove.federation == federation, HeadMove.branch.in_(branches))
    found: defaultdict[str, list[HeadMove]] = defaultdict(list)
    for move in session.scalars(query.order_by(HeadMove.branch, HeadMove.head_no)):
        found[move.branch].append(move)
    return dict(found)


def _branch_view(name: str, models: Mapping[int, ModelRow], moves: Sequence[HeadMove], is_classes: bool) -> BranchView:
    own = [row for row in models.values() if row.branch == name]
    first = min(own, key=lambda row: row.version)
    head = next(row for row in own if row.version == moves[-1].version)
    chain = _ancestry(models, head)
    return BranchView(
        name=name,
        head=head.name,
        digest=head.digest,
        head_no=moves[-1].head_no,
        n_models=len(own),
        n_on_chain=len(chain),
        began=moves[0].moved_at,
        began_at=models[first.copy_of_id].name if first.copy_of_id is not None else None,
        moves=tuple(reversed(moves[-N_MOVES_SHOWN:])),
        metric=tuple(_scored(chain, is_classes)),
    )


def _ancestry(models: Mapping[int, ModelRow], head: ModelRow) -> list[ModelRow]:
    chain = [head]
    while (base_id := chain[-1].base_id) is not None:
        chain.append(models[base_id])
    return chain[::-1]


def _scored(chain: Iterable[ModelRow], is_classes: bool) -> Iterable[ScoredVersion]:
    for row in chain:
        if row.interval_index is not None:
            total = ScoreSums.total(sums_by_fog(row.scores).values())
            yield ScoredVersion(
                row.interval_index, Version(row.branch, row.version), total.n, error_of(total, is_classes)
            )
