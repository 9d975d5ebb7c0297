"""A round's candidate as a file to take away: what the extra link of a task leads to."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response

from fogline.airflow.pages.access import OpenLedger, may_read_runs_of_dag
from fogline.airflow.pages.runs import round_of_run
from fogline.artifacts import ArtifactStore, StoreError
from fogline.ledger.candidates import candidate_of_run

router = APIRouter()
Store = Annotated[ArtifactStore, Depends(ArtifactStore.from_environment)]


@router.get("/dags/{dag_id}/runs/{dag_run_id}/candidate", dependencies=[Depends(may_read_runs_of_dag)])
def take_candidate(dag_id: str, dag_run_id: str, ledger: OpenLedger, store: Store) -> Response:
    """Send the candidate's file."""
    with ledger.transaction() as session:
        federation, branch = round_of_run(session, dag_id, dag_run_id)
        candidate = candidate_of_run(session, federation, branch, dag_run_id)
    if candidate is None:
        raise HTTPException(404, f"The round of run {dag_run_id} has made no candidate.")
    try:
        data = store.read(candidate.path)
    except StoreError as error:
        raise HTTPException(404, str(error)) from error
    headers = {
        "Content-Disposition": f'attachment; filename="{candidate.digest}.safetensors"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(data, media_type="application/octet-stream", headers=headers)
