"""Which round a DAG run is."""

from fastapi import HTTPException
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from fogline.airflow.pages import addresses
from fogline.ledger.schema import Round


def round_of_run(session: Session, dag_id: str, dag_run_id: str) -> tuple[str, str]:
    """Return the federation and the branch of a DAG run's round.

    Raises
    ------
    HTTPException
        404: the run has opened none.
    """
    branches = addresses.branches_of_dag(dag_id)
    query = select(Round.federation, Round.branch).where(Round.dag_run_id == dag_run_id)
    found = session.execute(query.where(tuple_(Round.federation, Round.branch).in_(branches))).first()
    if found is None:
        raise HTTPException(404, f"Run {dag_run_id} of {dag_id} has opened no round of a federation.")
    return found.federation, found.branch
