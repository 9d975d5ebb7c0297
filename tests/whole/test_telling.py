"""Who follows a federation is told: of each model by an event of its asset, of a failed or late round by an alert."""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.support.farm import Farm

pytestmark = pytest.mark.timeout(600)
CONNECTION = "fogline_alerts_of_the_test"
WILD = {"epochs": 5, "batch_size": 32, "learning_rate": 0.5, "decay_from": 1}
TOLD: dict[str, Any] = {
    "from": "main@0",
    "aggregation": "spark-connect",
    "promotion": {"tolerance": 0.5, "on_refusal": "fail"},
    "alerts": {"connection": CONNECTION, "late_after_s": 0.5},
}


@pytest.fixture
def alerts(farm: Farm) -> Iterator["queue.Queue[dict[str, Any]]"]:
    """What is posted to the address of the connection."""
    posted: queue.Queue[dict[str, Any]] = queue.Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posted.put({**body, "path": self.path, "kept_in_a_header": self.headers["X-Fleet"]})
            self.send_response(200)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = {
        "connection_id": CONNECTION,
        "conn_type": "http",
        "host": f"http://127.0.0.1:{server.server_port}/hooks",
        "password": "secret",
        "extra": json.dumps({"X-Fleet": "north"}),
    }
    farm.connect(connection)
    yield posted
    server.shutdown()


def events_of(farm: Farm, run_id: str) -> list[dict[str, Any]]:
    found = farm.api.request("GET", "/api/v2/assets/events", params={"source_run_id": run_id}).raise_for_status()
    return [{"asset": one["uri"], **one["extra"]} for one in found.json()["asset_events"]]


def test_followers_hear_of_models_and_people_of_rounds_that_failed_or_are_late(
    farm: Farm, alerts: "queue.Queue[dict[str, Any]]"
) -> None:
    branch = farm.on_branch("told", TOLD)
    run_id = branch.runs.trigger(branch.dag_id)
    branch.wait(branch.dag_id, run_id)
    model = branch.chain()[-1]
    expected = {"asset": "fogline://wind_farm/told", "model": model.name, "digest": model.digest, "reason": "committed"}
    assert [expected.items() <= event.items() for event in events_of(branch, run_id)] == [True]
    late = alerts.get(timeout=60)
    assert (late["kind"], late["run_id"], late["path"], late["kept_in_a_header"]) == (
        "late",
        run_id,
        "/hooks/secret",
        "north",
    )
    assert "is not over 0.5 s after it was queued" in late["text"]
    assert late["url"].startswith(farm.stack.settings.airflow_url)

    branch = farm.on_branch("told", {**TOLD, "alerts": {"connection": CONNECTION}, "training": WILD})
    run_id = branch.runs.trigger(branch.dag_id)
    branch.wait(branch.dag_id, run_id, "failed")
    failed = alerts.get(timeout=60)
    while failed["kind"] == "late":
        # Airflow may have parsed the branch's file before it was changed.
        failed = alerts.get(timeout=60)
    assert (failed["kind"], failed["run_id"]) == ("failed", run_id)
    assert "above the tolerance of 50 %: fog-1 " in failed["text"]
    assert events_of(branch, run_id) == []
