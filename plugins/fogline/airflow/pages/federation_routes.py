"""The list of federations, and the page of one: what the ledger tells, and the forms that start a run."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from fogline.airflow.pages import addresses
from fogline.airflow.pages.access import OpenLedger
from fogline.airflow.pages.actions import actions_on
from fogline.airflow.pages.airflow_side import AirflowSide, airflow_side
from fogline.airflow.pages.headers import page_headers
from fogline.airflow.pages.render_federation import FederationPage, page_script, render_federation, render_federations
from fogline.airflow.pages.rights import Rights, RightsDep
from fogline.chart import draw_errors
from fogline.dag_ids import ROUND, dag_id
from fogline.ledger.database import Ledger
from fogline.ledger.federation_view import branches_by_federation, federation_view
from fogline.ledger.matrix import round_matrix
from fogline.ledger.traffic import link_traffic
from fogline.versions import MAIN

PICTURE_HEADERS = {**page_headers(), "Cache-Control": "private, max-age=60"}

Airflow = Annotated[AirflowSide, Depends(airflow_side)]
router = APIRouter()


@router.get("/")
def list_federations(ledger: OpenLedger, airflow: Airflow, rights: RightsDep) -> HTMLResponse:
    """List the federations of which the user may read a branch."""
    with ledger.transaction() as session:
        known = branches_by_federation(session)
    for federation in airflow.federations():
        known.setdefault(federation, [MAIN])
    pairs = [(federation, branch) for federation, branches in known.items() for branch in branches]
    allowed = rights.readable({dag_id(ROUND, *pair) for pair in pairs})
    if pairs and not allowed:
        raise HTTPException(403, "You may not read the rounds of any federation; ask for the right to read their DAGs.")
    shown: dict[str, list[str]] = {}
    for federation, branch in sorted(pair for pair in pairs if dag_id(ROUND, *pair) in allowed):
        shown.setdefault(federation, []).append(branch)
    return HTMLResponse(render_federations(shown), headers=page_headers(page_script()))


@router.get("/federations/{federation}")
def show_federation(
    federation: str,
    ledger: OpenLedger,
    airflow: Airflow,
    rights: RightsDep,
    branch: str | None = None,
    page: Annotated[int, Query(ge=1)] = 1,
) -> HTMLResponse:
    """Show a federation: all branches that the user may read, and the rounds of one of them."""
    dags = airflow.dags(federation)
    readable = _readable_branches(federation, ledger, dags, rights)
    shown = branch or (MAIN if MAIN in readable else readable[0])
    if shown not in readable:
        raise HTTPException(
            404, f"{federation} has no branch {shown} that you may read; there are {', '.join(readable)}."
        )
    with ledger.transaction() as session:
        view = federation_view(session, federation, readable)
        matrix = round_matrix(session, federation, shown, view.fogs, page)
        traffic = []
        if view.specification is not None:
            traffic = link_traffic(session, federation, readable, view.fogs, view.specification)
    rounds = dag_id(ROUND, federation, shown)
    content = FederationPage(
        view=view,
        branches=readable,
        matrix=matrix,
        traffic=traffic,
        logs=airflow.telling_tasks(rounds, [row.round.dag_run_id for row in matrix.rows]),
        actions=actions_on(view, dags, rights.startable(dags), rights.editable(dags)),
    )
    return HTMLResponse(render_federation(content), headers=page_headers(page_script()))


@router.get("/federations/{federation}/errors.svg")
def draw_federation(federation: str, ledger: OpenLedger, airflow: Airflow, rights: RightsDep) -> Response:
    """Draw the branches' errors by interval."""
    readable = _readable_branches(federation, ledger, airflow.dags(federation), rights)
    with ledger.transaction() as session:
        view = federation_view(session, federation, readable)
    if not view.is_scored:
        raise HTTPException(404, f"No version of {federation} was scored on a held-out day yet.")
    return Response(
        draw_errors(view.error_lines(), view.error_name), media_type="image/svg+xml", headers=PICTURE_HEADERS
    )


@router.get("/dags/{dag_id}")
def lead_to_federation(dag_id: str, ledger: OpenLedger, airflow: Airflow, rights: RightsDep) -> RedirectResponse:
    """Lead from a DAG to its federation's page, with the branch whose rounds it is."""
    if not rights.readable([dag_id]):
        raise HTTPException(403, f"You may not read {dag_id}.")
    with ledger.transaction() as session:
        known = branches_by_federation(session)
    federations = {*known, *airflow.federations()}
    found = next((pair for pair in addresses.federations_of_dag(dag_id) if pair[0] in federations), None)
    if found is None:
        raise HTTPException(404, f"{dag_id} is no DAG of a federation.")
    return RedirectResponse(addresses.federation_page(*found), headers=page_headers())


def _readable_branches(federation: str, ledger: Ledger, dags: Collection[str], rights: Rights) -> list[str]:
    rounds = dag_id(ROUND, federation)
    with ledger.transaction() as session:
        known = set(branches_by_federation(session).get(federation, ()))
    known |= {dag.removeprefix(f"{rounds}__") for dag in dags if dag.startswith(f"{rounds}__")}
    if rounds in dags:
        known.add(MAIN)
    allowed = rights.readable({rounds, *(dag_id(ROUND, federation, branch) for branch in known)})
    # Who may read nothing does not learn either whether there is such a federation.
    if not allowed:
        raise HTTPException(403, f"You may not read the rounds of {federation}; ask for the right to read its DAGs.")
    readable = sorted(branch for branch in known if dag_id(ROUND, federation, branch) in allowed)
    if not readable:
        raise HTTPException(404, f"There is no federation {federation}.")
    return readable
