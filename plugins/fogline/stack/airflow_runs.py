"""Start DAG runs and backfills over Airflow's REST API, as a person would in its UI, and follow them."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import httpx

from fogline.stack.airflow_api import AirflowApi
from fogline.stack.errors import StackError
from fogline.stack.waiting import wait_until

ENDED = {"success", "failed"}
BACKFILL_S = 120


@dataclass(frozen=True)
class TaskTime:
    """A task's last try, and when it began and ended."""

    task_id: str
    state: str | None
    try_number: int
    start: dt.datetime | None
    end: dt.datetime | None

    @property
    def wall_s(self) -> float | None:
        """How long it took."""
        return None if self.start is None or self.end is None else (self.end - self.start).total_seconds()


class AirflowRuns:
    """The DAG runs of one Airflow.

    Parameters
    ----------
    api
        Its REST API.
    """

    def __init__(self, api: AirflowApi) -> None:
        self._api = api

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, form: dict[str, Any] | None = None) -> str:
        """Start a run by hand and return its id."""
        body = {"logical_date": None, "conf": form or {}}
        return str(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def backfill(
        self,
        dag_id: str,
        start: dt.datetime,
        end: dt.datetime,
        reprocess: str = "failed",
        *,
        max_active_runs: int = 1,
        backwards: bool = False,
    ) -> None:
        """Start a backfill of the intervals that begin from ``start`` to ``end`` (included).

        Raises
        ------
        StackError
            Airflow refuses it, or the DAG's backfill before it does not end.
        """
        body = {
            "dag_id": dag_id,
            "from_date": start.isoformat(),
            "to_date": end.isoformat(),
            "max_active_runs": max_active_runs,
            "run_backwards": backwards,
            "reprocess_behavior": reprocess,
        }

        def is_accepted() -> bool:
            answer = self._api.request("POST", "/api/v2/backfills", json=body)
            # Airflow has one backfill a DAG, and notices only now and then that the last one is over.
            return answer.status_code != httpx.codes.CONFLICT and bool(self._content(answer))

        wait_until(is_accepted, what=f"the backfill before this one of {dag_id}", deadline_s=BACKFILL_S, every_s=1.0)

    def state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def run_of(self, dag_id: str, logical_date: dt.datetime) -> dict[str, Any] | None:
        """Return the run of a logical date; None when there is none yet."""
        moment = logical_date.isoformat()
        query = {"logical_date_gte": moment, "logical_date_lte": moment}
        found = self._call("GET", f"/dags/{dag_id}/dagRuns", params=query)["dag_runs"]
        return found[0] if found else None

    def newest(self, dag_id: str) -> str:
        """Return the id of the run that was started last."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": "-id", "limit": 1})["dag_runs"]
        return str(found[0]["dag_run_id"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskTime]:
        """Return the tasks of a run."""
        rows = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return [
            TaskTime(
                row["task_id"], row["state"], row["try_number"], _moment(row["start_date"]), _moment(row["end_date"])
            )
            for row in rows
        ]

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> list[str]:
        """Return the messages of a task's log."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self._call("GET", path, params={"full_content": True})["content"]
        return [_text(line) for line in content]

    def clear(self, dag_id: str, run_id: str, task_ids: list[str], *, with_downstream: bool) -> None:
        """Clear tasks of a run, whatever their state, so that they run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "only_failed": False,
            "include_downstream": with_downstream,
        }
        self._call("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    def choose(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer a task that asks a person."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._call("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def require_success(self, dag_id: str, run_id: str) -> None:
        """Check that a run succeeded.

        Raises
        ------
        StackError
            It failed; names the task and the end of its log.
        """
        if self.state(dag_id, run_id) == "success":
            return
        failed = next((task.task_id for task in self.tasks(dag_id, run_id) if task.state == "failed"), None)
        told = "\n".join(f"    {line}" for line in self.log(dag_id, run_id, failed)[-12:]) if failed else ""
        raise StackError(f"run {run_id} of {dag_id} failed in {failed or 'no task'}; the end of its log:\n{told}")

    def _call(self, method: str, path: str, **options: Any) -> Any:
        return self._content(self._api.request(method, f"/api/v2{path}", **options))

    @staticmethod
    def _content(answer: httpx.Response) -> Any:
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            asked = f"{answer.request.method} {answer.request.url.path}"
            said = f"{asked}: {answer.status_code} {answer.text[:300]}"
            if answer.is_server_error:
                raise StackError(f"Airflow failed at {said}; why is in its log: ./fogline logs airflow-api-server")
            raise StackError(f"Airflow refused {said}")
        return answer.json()


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _text(line: Any) -> str:
    if not isinstance(line, dict):
        return str(line)
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []]
    return " | ".join([str(line.get("event", line)), *errors])
