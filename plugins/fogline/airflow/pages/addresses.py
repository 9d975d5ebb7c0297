"""Where things are in Airflow's UI, as paths on the server that a browser has open already."""

from urllib.parse import quote, urlencode, urlsplit

from airflow.configuration import conf

from fogline.dag_ids import (
    COMPARE_BRANCHES,
    EVALUATE,
    INITIALISE,
    NEW_BRANCH,
    PROMOTE_BRANCH,
    RECORD_HISTORY,
    ROLL_BACK,
    ROUND,
)
from fogline.versions import MAIN

PREFIX = "/fogline"
ROUND_DAGS = f"{ROUND}__"
AS_TAB = "?tab=true"


def branches_of_dag(dag_id: str) -> list[tuple[str, str]]:
    """Return every federation and branch that a DAG's id may mean; names may hold two underscores themselves."""
    if not dag_id.startswith(ROUND_DAGS):
        return []
    parts = dag_id.removeprefix(ROUND_DAGS).split("__")
    splits = [("__".join(parts[:i]), "__".join(parts[i:])) for i in range(1, len(parts))]
    return [("__".join(parts), MAIN), *splits]


def federations_of_dag(dag_id: str) -> list[tuple[str, str]]:
    """Return every federation and branch that the id of any DAG of ours may mean; only rounds have branches."""
    kinds = (INITIALISE, EVALUATE, NEW_BRANCH, COMPARE_BRANCHES, PROMOTE_BRANCH, ROLL_BACK, RECORD_HISTORY)
    of_kind = [dag_id.removeprefix(f"{kind}__") for kind in kinds if dag_id.startswith(f"{kind}__")]
    return [*branches_of_dag(dag_id), *((federation, MAIN) for federation in of_kind)]


def federations_page() -> str:
    """Return the path of the list of federations."""
    return f"{_root()}{PREFIX}/"


def federation_page(federation: str, branch: str | None = None, page: int = 1) -> str:
    """Return the path of a federation's page, which shows a page of a branch's rounds."""
    asked = {**({"branch": branch} if branch else {}), **({"page": page} if page > 1 else {})}
    return _path(PREFIX, "federations", federation) + (f"?{urlencode(asked)}" if asked else "")


def errors_picture(federation: str) -> str:
    """Return the path of the picture on a federation's page."""
    return _path(PREFIX, "federations", federation, "errors.svg")


def tab_of_any_dag() -> str:
    """Return what leads from a DAG to its federation's page, as a pattern that Airflow's UI fills in."""
    return f"{_root()}{PREFIX}/dags/{{DAG_ID}}"


def api() -> str:
    """Return the path of Airflow's REST API."""
    return f"{_root()}/api/v2"


def dag_in_airflow(dag_id: str) -> str:
    """Return the path of a DAG."""
    return _path("", "dags", dag_id)


def round_page(federation: str, branch: str, dag_run_id: str) -> str:
    """Return the path of a round's page."""
    return _path(PREFIX, "rounds", federation, branch, dag_run_id)


def page_of_run(dag_id: str, dag_run_id: str) -> str:
    """Return the path that leads to the page of a DAG run's round."""
    return _path(PREFIX, "dags", dag_id, "runs", dag_run_id)


def candidate_of_run(dag_id: str, dag_run_id: str) -> str:
    """Return the path of the file with a round's candidate."""
    return _path(PREFIX, "dags", dag_id, "runs", dag_run_id, "candidate")


def tab_of_any_run() -> str:
    """Return the same for a tab inside Airflow's page of the run, as a pattern that Airflow's UI fills in."""
    return f"{_root()}{PREFIX}/dags/{{DAG_ID}}/runs/{{RUN_ID}}{AS_TAB}"


def run_in_airflow(dag_id: str, dag_run_id: str) -> str:
    """Return the path of a DAG run."""
    return _path("", "dags", dag_id, "runs", dag_run_id)


def run_in_browser(dag_id: str, dag_run_id: str) -> str:
    """Return the whole address of a DAG run; only its path where Airflow does not know its own address."""
    base = urlsplit(conf.get("api", "base_url", fallback=""))
    server = f"{base.scheme}://{base.netloc}" if base.netloc else ""
    return server + run_in_airflow(dag_id, dag_run_id)


def task_in_airflow(dag_id: str, dag_run_id: str, task_id: str) -> str:
    """Return the path of a task's log."""
    return _path("", "dags", dag_id, "runs", dag_run_id, "tasks", task_id)


def login_page(next_path: str) -> str:
    """Return the path of Airflow's login, which leads back afterwards."""
    return f"{_root()}/api/v2/auth/login?next={quote(next_path, safe='')}"


def _path(prefix: str, *parts: str) -> str:
    return "/".join([_root() + prefix, *(quote(part, safe="") for part in parts)])


def _root() -> str:
    # Behind a reverse proxy Airflow may live below a path of its own; its host is the browser's business.
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
