"""Plans in the ledger: one number each, the newest of a purpose supersedes the older ones."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fogline.ledger.schema import PlanRow, SealRow
from fogline.messages.base import MAX_STORED_BYTES
from fogline.messages.plan import Plan
from fogline.messages.seal import Seal
from fogline.rounds.judge import PlanState


@dataclass(frozen=True)
class PlanKey:
    """What a plan is for; a newer plan with the same key supersedes the older one."""

    federation: str
    branch: str
    purpose: str


# Statistics are asked for once, for the whole federation.
STATISTICS_PURPOSE = "initialise"
# In the place of a branch's name, in a pattern of SQL.
ANY_BRANCH = "%"


def training_purpose(branch: str) -> str:
    """Return the purpose under which training plans supersede each other."""
    return f"round/{branch}/train"


def candidate_purpose(branch: str) -> str:
    """Return the purpose of the evaluations of a branch's candidates."""
    return f"round/{branch}/evaluate_candidate"


def reserve_plan(session: Session, key: PlanKey, dag_run_id: str, round_id: int | None) -> PlanRow:
    """Take the next plan number; the older plans of the same purpose are superseded by it."""
    row = PlanRow(
        federation=key.federation,
        branch=key.branch,
        purpose=key.purpose,
        dag_run_id=dag_run_id,
        round_id=round_id,
    )
    session.add(row)
    session.flush()
    row.plan_id = f"{key.federation}/{key.branch}/{row.number}"
    session.execute(
        update(PlanRow)
        .where(
            PlanRow.federation == key.federation,
            PlanRow.branch == key.branch,
            PlanRow.purpose == key.purpose,
        )
        .where(PlanRow.number < row.number, PlanRow.superseded_by.is_(None))
        .values(superseded_by=row.number)
    )
    return row


def record_announcement(session: Session, plan: Plan, append_time_ms: int) -> None:
    """Keep when the broker took the plan."""
    session.execute(update(PlanRow).where(PlanRow.plan_id == plan.plan_id).values(append_time_ms=append_time_ms))


def record_body(session: Session, plan: Plan) -> None:
    """Keep the plan as it is about to be sent."""
    session.execute(update(PlanRow).where(PlanRow.plan_id == plan.plan_id).values(body=plan.to_bytes().decode()))


def newest_plan(session: Session, key: PlanKey, dag_run_id: str) -> PlanState | None:
    """Return the newest announced plan of a DAG run for a purpose."""
    row = session.scalar(
        select(PlanRow)
        .where(
            PlanRow.federation == key.federation,
            PlanRow.branch == key.branch,
            PlanRow.purpose == key.purpose,
        )
        .where(PlanRow.dag_run_id == dag_run_id)
        .order_by(PlanRow.number.desc())
        .limit(1)
    )
    return None if row is None else _state(row)


def plan_state(session: Session, plan_id: str) -> PlanState | None:
    """Return a plan by its id; None when it was never announced."""
    row = session.scalar(select(PlanRow).where(PlanRow.plan_id == plan_id))
    return None if row is None else _state(row)


def lock_plan(session: Session, plan_id: str) -> None:
    """Make other transactions that would act on the same plan wait for this one's end."""
    session.execute(select(PlanRow.number).where(PlanRow.plan_id == plan_id).with_for_update())


def plan_to_judge(session: Session, plan_id: str, answered_at_ms: int) -> PlanState | None:
    """Return a plan that an answer names, also one whose append time another run is about to note.

    Parameters
    ----------
    answered_at_ms
        The answer's append time, which stands in for the plan's: that is a moment earlier.
    """
    row = session.scalar(select(PlanRow).where(PlanRow.plan_id == plan_id))
    if row is None or row.body is None:
        return None
    append_time_ms = answered_at_ms if row.append_time_ms is None else row.append_time_ms
    return PlanState(Plan.from_bytes(row.body.encode()), append_time_ms, row.superseded_by)


def is_sealed(session: Session, plan_id: str) -> bool:
    """Tell whether a plan's answers were sealed."""
    return session.scalar(select(SealRow.plan_id).where(SealRow.plan_id == plan_id)) is not None


def seal_of(session: Session, plan_id: str) -> Seal | None:
    """Return a plan's seal."""
    row = session.get(SealRow, plan_id)
    return None if row is None else Seal.from_bytes(row.body.encode(), MAX_STORED_BYTES)


def _state(row: PlanRow) -> PlanState | None:
    if row.body is None or row.append_time_ms is None:
        # The announcement died between reserving the number and sending the plan.
        return None
    return PlanState(Plan.from_bytes(row.body.encode()), row.append_time_ms, row.superseded_by)
