"""Tell people of a round that failed or is late: a small JSON document posted to the address of an Airflow connection.

Its ``text`` is a whole sentence, which chat programs show as it is. Airflow's DAG processor calls for a failed run, its
triggerer for a late one.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from fogline.airflow.connections import ledger_url, missing
from fogline.airflow.pages.addresses import run_in_browser
from fogline.dag_ids import ROUND, dag_id
from fogline.errors import FoglineError
from fogline.ledger.database import Ledger
from fogline.ledger.rounds import round_of_run

LOG = logging.getLogger(__name__)
POST_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class FailedRound:
    """The callback for failed runs of a branch's DAG."""

    federation: str
    branch: str
    connection_id: str

    def __call__(self, context: Any) -> None:
        """Post what failed; an alert that can't be posted is an error in the DAG processor's log."""
        run_id = context["run_id"]
        why = self._recorded(run_id) or f"Airflow says: {context.get('reason')}"
        message = _message(self.federation, self.branch, run_id, "failed", f"failed: {why}")
        with _faults_in_one_line(run_id, self.connection_id):
            connection = BaseHook.get_connection(self.connection_id)
            httpx.post(timeout=POST_TIMEOUT_S, json=message, **address_of(connection)).raise_for_status()

    def _recorded(self, run_id: str) -> str | None:
        try:
            with Ledger(ledger_url()).transaction() as session:
                row = round_of_run(session, self.federation, self.branch, run_id)
                return row.reason if row else None
        except FoglineError as error:
            return str(error)


async def tell_of_late_round(
    context: Any, federation: str, branch: str, connection_id: str, late_after_s: float
) -> None:
    """Post that a run is not over though it should be."""
    run_id = context["dag_run"]["dag_run_id"]
    message = _message(federation, branch, run_id, "late", f"is not over {late_after_s:g} s after it was queued")
    with _faults_in_one_line(run_id, connection_id):
        connection = await BaseHook.aget_connection(connection_id)
        async with httpx.AsyncClient(timeout=POST_TIMEOUT_S) as client:
            (await client.post(json=message, **address_of(connection))).raise_for_status()


@contextmanager
def _faults_in_one_line(run_id: str, connection_id: str) -> Iterator[None]:
    try:
        yield
    except AirflowNotFoundException:
        LOG.error("%s", missing(connection_id))
    except httpx.HTTPError as error:
        LOG.error("The alert of %s could not be posted: %s", run_id, error)


def address_of(connection: Connection) -> dict[str, Any]:
    """Return where an HTTP connection leads to.

    Its host is the URL, or only the host's name with schema and port beside it; a password is the secret last part of
    the URL, as chat programs give it; the extra holds headers.
    """
    host = connection.host or ""
    url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    url += f":{connection.port}" if connection.port else ""
    secret = f"/{connection.password}" if connection.password else ""
    return {"url": url.rstrip("/") + secret, "headers": connection.extra_dejson}


def _message(federation: str, branch: str, run_id: str, kind: str, what: str) -> dict[str, str]:
    rounds = dag_id(ROUND, federation, branch)
    url = run_in_browser(rounds, run_id)
    return {
        "text": f"Fogline: the round of {federation}/{branch} in run {run_id} {what}. {url}",
        "kind": kind,
        "federation": federation,
        "branch": branch,
        "dag_id": rounds,
        "run_id": run_id,
        "reason": what,
        "url": url,
    }
