"""Where things are in Airflow's UI, as paths on the server that a browser has open already."""

from urllib.parse import quote, urlsplit

from airflow.configuration import conf

from fogline.dag_ids import ROUND

PREFIX = "/fogline"
ROUND_DAGS = f"{ROUND}__"
AS_TAB = "?tab=true"


def branches_of_dag(dag_id: str) -> list[tuple[str, str]]:
    """Return every federation and branch that a DAG's id may mean; names may hold two underscores themselves."""
    if not dag_id.startswith(ROUND_DAGS):
        return []
    parts = dag_id.removeprefix(ROUND_DAGS).split("__")
    splits = [("__".join(parts[:i]), "__".join(parts[i:])) for i in range(1, len(parts))]
    return [("__".join(parts), "main"), *splits]


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
