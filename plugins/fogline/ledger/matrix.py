"""The matrix of a branch's rounds and fogs: what became of each fog's answer, a page of rounds at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fogline.ledger.answers import settles
from fogline.ledger.schema import AnswerRow, ModelRow, PlanRow, Round, SealRow
from fogline.ledger.verdicts import NO_ANSWER
from fogline.messages.plan import Plan

N_ROUNDS_A_PAGE = 25
# What a cell says where there is no verdict to show.
WAITING, LEFT_OUT, NOT_ASKED = "waiting", "left out", "not asked"


@dataclass(frozen=True)
class Remark:
    """What a person may want to know of one record; ``asked`` is what the plan asked for."""

    asked: str
    verdict: str
    cause: str | None
    reason: str | None

    def __str__(self) -> str:
        return ": ".join(part for part in (self.asked, self.verdict, self.cause, self.reason) if part)


@dataclass(frozen=True)
class Cell:
    """A fog in a round.

    Attributes
    ----------
    verdict
        That on the answer which settled the newest training plan, else on the fog's last answer to it; ``no answer``,
        ``waiting`` while the plan is open, ``left out`` of the branch, or ``not asked`` when no plan was sent.
    remarks
        Every record of the fog with any of the round's plans that was not simply accepted, in the order of the topic.
    """

    verdict: str
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class MatrixRow:
    """A round; ``version`` is the one that it committed, and the cells are in the order of the matrix's fogs."""

    round: Round
    version: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """A page of a branch's rounds, newest first; pages are counted from 1."""

    branch: str
    fogs: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    n_rounds: int
    page: int

    @property
    def n_pages(self) -> int:
        """The number of pages; one at least."""
        return n_pages(self.n_rounds)


def n_pages(n_rounds: int) -> int:
    """Return how many pages some rounds take; one at least."""
    return max(1, -(-n_rounds // N_ROUNDS_A_PAGE))


@dataclass(frozen=True)
class _Record:
    verdict: str
    cause: str | None
    reason: str | None


_Answers = Mapping[tuple[str, str], Sequence[_Record]]


@dataclass(frozen=True)
class _SentPlan:
    plan: Plan
    is_sealed: bool

    @property
    def asked(self) -> str:
        return "weights" if self.plan.kind == "train" else self.plan.measure or "sums"


def round_matrix(session: Session, federation: str, branch: str, fogs: Sequence[str], page: int = 1) -> Matrix:
    """Gather a page of the matrix; a page beyond the last one is the last one.

    Parameters
    ----------
    fogs
        The columns that there are in any case; members of the rounds' plans that are not among them are added.
    """
    mine = (Round.federation == federation, Round.branch == branch)
    n_rounds = session.scalar(select(func.count()).select_from(Round).where(*mine)) or 0
    page = min(page, n_pages(n_rounds))
    query = select(Round).where(*mine).order_by(Round.opened_at.desc(), Round.id.desc())
    rounds = list(session.scalars(query.offset((page - 1) * N_ROUNDS_A_PAGE).limit(N_ROUNDS_A_PAGE)))
    runs = [row.dag_run_id for row in rounds]
    plans = _sent_plans(session, federation, branch, runs)
    answers = _answers(session, [one.plan.plan_id for of_run in plans.values() for one in of_run])
    versions = _versions(session, federation, branch, runs)
    columns = _columns(fogs, plans.values())
    rows = (
        MatrixRow(one, versions.get(one.dag_run_id), _cells(one, columns, plans.get(one.dag_run_id, []), answers))
        for one in rounds
    )
    return Matrix(branch, columns, tuple(rows), n_rounds, page)


def _sent_plans(session: Session, federation: str, branch: str, runs: Sequence[str]) -> dict[str, list[_SentPlan]]:
    query = select(PlanRow.dag_run_id, PlanRow.body, SealRow.digest).where(PlanRow.federation == federation)
    query = query.where(PlanRow.branch == branch, PlanRow.dag_run_id.in_(runs), PlanRow.append_time_ms.is_not(None))
    joined = query.outerjoin(SealRow, SealRow.plan_id == PlanRow.plan_id).order_by(PlanRow.number)
    found: defaultdict[str, list[_SentPlan]] = defaultdict(list)
    for run, body, seal in session.execute(joined):
        assert body is not None
        found[run].append(_SentPlan(Plan.from_bytes(body.encode()), seal is not None))
    return dict(found)


def _answers(session: Session, plan_ids: Sequence[str]) -> dict[tuple[str, str], list[_Record]]:
    columns = (AnswerRow.plan_id, AnswerRow.fog, AnswerRow.verdict, AnswerRow.cause, AnswerRow.reason)
    query = select(*columns).where(AnswerRow.plan_id.in_(plan_ids), AnswerRow.fog.is_not(None))
    found = defaultdict(list)
    ordered = query.order_by(AnswerRow.append_time_ms, AnswerRow.partition, AnswerRow.offset)
    for plan_id, fog, verdict, cause, reason in session.execute(ordered):
        found[plan_id or "", fog or ""].append(_Record(verdict, cause, reason))
    return found


def _versions(session: Session, federation: str, branch: str, runs: Sequence[str]) -> dict[str, str]:
    query = select(ModelRow.dag_run_id, ModelRow.version).where(ModelRow.federation == federation)
    query = query.where(ModelRow.branch == branch, ModelRow.dag_run_id.in_(runs), ModelRow.copy_of_id.is_(None))
    return {run: f"{branch}@{version}" for run, version in session.execute(query)}


def _columns(fogs: Sequence[str], plans: Iterable[Sequence[_SentPlan]]) -> tuple[str, ...]:
    members = (fog for of_run in plans for one in of_run for fog in one.plan.members)
    return tuple(dict.fromkeys([*fogs, *members]))


def _cells(row: Round, fogs: Sequence[str], plans: Sequence[_SentPlan], answers: _Answers) -> tuple[Cell, ...]:
    newest = next((one for one in reversed(plans) if one.plan.kind == "train"), None)
    return tuple(
        Cell(
            verdict=_verdict(row, newest, fog, answers),
            remarks=tuple(
                Remark(one.asked, record.verdict, record.cause, record.reason)
                for one in plans
                for record in answers.get((one.plan.plan_id, fog), ())
                if record.verdict != "accepted"
            ),
        )
        for fog in fogs
    )


def _verdict(row: Round, newest: _SentPlan | None, fog: str, answers: _Answers) -> str:
    if newest is None:
        return NOT_ASKED
    if fog not in newest.plan.members:
        return LEFT_OUT
    records = answers.get((newest.plan.plan_id, fog), ())
    settling = next((record for record in records if settles(record.verdict, record.cause)), None)
    if records:
        return (settling or records[-1]).verdict
    return WAITING if row.is_open and not newest.is_sealed else NO_ANSWER
