"""The few calls of Airflow's REST API that the stack makes."""

from typing import Any

import httpx

from fogline.stack.errors import StackError
from fogline.stack.patience import CHANGES_NOTHING, patient_client

# A loaded machine may take its time.
TIMEOUT_S = 60


class AirflowApi:
    """Airflow's REST API, logged in at the first call that needs it.

    Parameters
    ----------
    url
        Address of the API server.
    user, password
        Of the simple auth manager.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._client = patient_client(url, TIMEOUT_S)
        # Whether it answers right now is asked without patience.
        self._once = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False, verify=False)
        self._login = {"username": user, "password": password}

    def unhealthy(self) -> list[str]:
        """Return the parts of Airflow that are not healthy; the API server itself is one while it doesn't answer."""
        try:
            answer = self._once.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return ["api-server"]
        if answer.status_code != httpx.codes.OK:
            return ["api-server"]
        return [part for part, state in answer.json().items() if state and state.get("status") != "healthy"]

    def has_dag(self, dag_id: str) -> bool:
        """Return whether the DAG has been parsed and is there."""
        answer = self.request("GET", f"/api/v2/dags/{dag_id}")
        return answer.status_code == httpx.codes.OK and not answer.json()["is_stale"]

    def import_errors(self) -> dict[str, str]:
        """Return the last line of each DAG file's import error by the file's name."""
        answer = self.request("GET", "/api/v2/importErrors").raise_for_status().json()
        return {one["filename"]: one["stack_trace"].strip().splitlines()[-1] for one in answer["import_errors"]}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make a call as the user; a GET without a proper answer is made again until the deadline of the wait.

        Raises
        ------
        StackError
            There is no answer.
        """
        try:
            if "Authorization" not in self._client.headers:
                login = self._client.post("/auth/token", json=self._login, extensions=CHANGES_NOTHING)
                token = login.raise_for_status().json()["access_token"]
                self._client.headers["Authorization"] = f"Bearer {token}"
            return self._client.request(method, path, **options)
        except httpx.TransportError as lost:
            unsure = "" if method == "GET" else "; whether it took effect is not known, so look before you repeat it"
            raise StackError(f"Airflow does not answer {method} {path}: {lost!r}{unsure}") from None
