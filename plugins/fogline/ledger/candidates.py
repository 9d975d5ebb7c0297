"""The candidate that a round's aggregation made."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from fogline.ledger.schema import PlanRow, ResultRow, Round
from fogline.messages.seal import Candidate, Result


def candidate_of_run(session: Session, federation: str, branch: str, dag_run_id: str) -> Candidate | None:
    """Return the newest candidate of a run's round; None when it has made none."""
    of_run = (Round.federation == federation, Round.branch == branch, Round.dag_run_id == dag_run_id)
    query = select(ResultRow.body).join(PlanRow, PlanRow.plan_id == ResultRow.plan_id).join(Round).where(*of_run)
    body = session.execute(query.order_by(PlanRow.number.desc()).limit(1)).scalar()
    return None if body is None else Result.from_bytes(body.encode()).candidate
