"""The task that keeps the models' history: its connection, and how it fails."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from fogline.airflow.operators import history
from fogline.history.address import from_uri
from fogline.history.stores import open_history
from tests.support.chains import ChainMaker
from tests.support.federations import write_federation

# A first build of the stand-in for MongoDB may take minutes.
pytestmark = pytest.mark.timeout(600)
VARIABLE = "AIRFLOW_CONN_FOGLINE_HISTORY"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChainMaker]:
    maker = ChainMaker(tmp_path, f"f_{tmp_path.name[:30]}")
    maker.everything()
    monkeypatch.setattr(history, "ledger_url", lambda: str(maker.ledger.engine.url))
    monkeypatch.setenv("FOGLINE_MODEL_STORE", maker.store.url)
    monkeypatch.delenv(VARIABLE, raising=False)
    yield maker
    maker.ledger.engine.dispose()


def run(made: ChainMaker, folder: Path) -> dict[str, int]:
    task = history.CatchUpHistory(task_id="catch_up", federation_file=str(write_federation(folder, made.name)))
    return task.execute({})


def test_it_writes_what_is_missing_and_says_how_much(
    made: ChainMaker, mongo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps(from_uri(mongo).connection()))
    assert run(made, tmp_path) == {"versions": 7, "head_moves": 8}
    assert run(made, tmp_path) == {"versions": 0, "head_moves": 0}
    with open_history(from_uri(mongo)) as opened:
        assert opened.versions(made.name, "slow") == made.history.versions(made.name, "slow")


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        (None, "no connection fogline_history; add it under Admin, Connections or as AIRFLOW_CONN_FOGLINE_HISTORY"),
        ({"conn_type": "redis", "host": "h", "schema": "s"}, "connection fogline_history: 'redis' is no kind of"),
        ({"conn_type": "cassandra", "host": "h"}, "it names no keyspace; give it as the connection's schema"),
        ({"conn_type": "mongo", "host": "h"}, "it names no database; give it as the connection's schema"),
        ({"conn_type": "mongo", "schema": "models"}, "it names no host; give one, or several"),
    ],
)
def test_a_connection_that_is_not_right_fails_at_once(
    made: ChainMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any] | None, says: str
) -> None:
    if connection is not None:
        monkeypatch.setenv(VARIABLE, json.dumps(connection))
    with pytest.raises(AirflowFailException, match=says):
        run(made, tmp_path)


def test_a_store_that_is_down_is_tried_again(made: ChainMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "cassandra", "host": "127.0.0.1", "port": 1, "schema": "models"}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    with pytest.raises(AirflowException, match=r"Cassandra at 127.0.0.1:1/models does not answer") as raised:
        run(made, tmp_path)
    assert not isinstance(raised.value, AirflowFailException)
