"""Where an alert goes, by the connection that an operator writes."""

import json

import pytest
from airflow.sdk import Connection

from fogline.airflow.alerts import FailedRound, address_of


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "https://chat.example/hooks/", "password": "T0/B0"}, "https://chat.example/hooks/T0/B0"),
        ({"host": "alerts.example", "port": 8443}, "https://alerts.example:8443"),
        ({"host": "alerts.example", "schema": "http"}, "http://alerts.example"),
    ],
)
def test_an_alert_goes_where_the_connection_leads(fields: dict[str, object], url: str) -> None:
    connection = Connection(conn_id="alerts", conn_type="http", extra=json.dumps({"X-Fleet": "north"}), **fields)
    assert address_of(connection) == {"url": url, "headers": {"X-Fleet": "north"}}


def test_without_the_connection_the_log_says_what_to_add(caplog: pytest.LogCaptureFixture) -> None:
    FailedRound("wind_farm", "main", "nowhere")({"run_id": "run", "reason": "task_failure"})
    assert "Airflow has no connection nowhere; add it under Admin, Connections" in caplog.text


def test_an_address_that_does_not_answer_is_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CLOSED", json.dumps({"conn_type": "http", "host": "http://127.0.0.1:1"}))
    FailedRound("wind_farm", "main", "closed")({"run_id": "run", "reason": "task_failure"})
    assert "The alert of run could not be posted" in caplog.text and "Traceback" not in caplog.text
