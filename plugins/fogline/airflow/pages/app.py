"""The app that Airflow's API server mounts below ``/fogline``."""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException as AnyHttpException

from fogline.airflow.connections import ConnectionMissing
from fogline.airflow.pages import addresses, candidate, federation_routes
from fogline.airflow.pages.access import OpenLedger, TaskOfRun, may_read_round, may_read_runs_of_dag, tasks_of_round
from fogline.airflow.pages.headers import page_headers
from fogline.airflow.pages.render import render_refusal, render_round
from fogline.airflow.pages.runs import round_of_run
from fogline.errors import FoglineError
from fogline.ledger.database import LedgerUnreachable
from fogline.ledger.round_view import round_view

HEADERS = page_headers()
PASSING = (LedgerUnreachable, ConnectionMissing)

TasksOfRound = Annotated[list[TaskOfRun], Depends(tasks_of_round)]
router = APIRouter()


@router.get("/rounds/{federation}/{branch}/{dag_run_id}", dependencies=[Depends(may_read_round)])
def show_round(
    federation: str, branch: str, dag_run_id: str, ledger: OpenLedger, tasks: TasksOfRound, tab: bool = False
) -> HTMLResponse:
    """Show a round."""
    with ledger.transaction() as session:
        view = round_view(session, federation, branch, dag_run_id)
    if view is None:
        raise HTTPException(404, f"The ledger has no round of run {dag_run_id} on branch {branch} of {federation}.")
    return HTMLResponse(render_round(view, tasks, is_tab=tab), headers=HEADERS)


@router.get("/dags/{dag_id}/runs/{dag_run_id}", dependencies=[Depends(may_read_runs_of_dag)])
def lead_to_round(dag_id: str, dag_run_id: str, ledger: OpenLedger, tab: bool = False) -> RedirectResponse:
    """Lead from a DAG run to its round's page."""
    with ledger.transaction() as session:
        federation, branch = round_of_run(session, dag_id, dag_run_id)
    page = addresses.round_page(federation, branch, dag_run_id)
    return RedirectResponse(f"{page}{addresses.AS_TAB}" if tab else page, headers=HEADERS)


def _refuse(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, AnyHttpException)
    login = addresses.login_page(request.url.path) if error.status_code == 401 else None
    return _refusal(error.status_code, str(error.detail), login)


def _misread(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, RequestValidationError)
    faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']} (it says {fault['input']!r})" for fault in error.errors())
    return _refusal(422, faults, None)


def _fail(request: Request, error: Exception) -> HTMLResponse:
    return _refusal(503 if isinstance(error, PASSING) else 500, str(error), None)


def _refusal(status: int, sentence: str, login: str | None) -> HTMLResponse:
    return HTMLResponse(render_refusal(sentence, login), status_code=status, headers=HEADERS)


def create_app() -> FastAPI:
    """Return the app."""
    # Its description of itself would be open to anybody.
    app = FastAPI(title="Fogline", openapi_url=None)
    app.include_router(router)
    app.include_router(candidate.router)
    app.include_router(federation_routes.router)
    app.add_exception_handler(AnyHttpException, _refuse)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(FoglineError, _fail)
    return app
