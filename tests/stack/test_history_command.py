"""``./fogline history`` on a store and on the ledger, as a person types it."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fogline.artifacts import ArtifactStore
from fogline.history.address import VARIABLE, from_uri
from fogline.history.catch_up import catch_up
from fogline.history.stores import open_history
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.model import load
from fogline.stack import history_commands  # noqa: F401, because it adds its verb
from fogline.stack.airflow import connections
from fogline.stack.commands import main
from fogline.stack.parts import LEDGER_DATABASE
from fogline.stack.settings import Settings
from fogline.stack.stack import Stack
from tests.support.chains import ChainMaker

# A first build of the stand-in for MongoDB may take minutes.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def made(tmp_path: Path, mongo: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChainMaker]:
    """A federation whose history is in the store that the environment names."""
    maker = ChainMaker(tmp_path, f"f_{uuid.uuid4().hex[:8]}")
    maker.everything()
    with open_history(from_uri(mongo)) as opened:
        catch_up(opened, maker.history, maker.name)
    monkeypatch.setenv("FOGLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(VARIABLE, mongo)
    yield maker
    maker.ledger.engine.dispose()


def fogline(*arguments: str, fails: bool = False) -> str:
    done = CliRunner().invoke(main, ["history", *arguments])
    assert (done.exit_code != 0) == fails, done.output
    return done.output


def test_it_shows_the_versions_and_the_moves_that_people_made(made: ChainMaker, mongo: str) -> None:
    said = fogline("--federation", made.name)
    digest = made.history.held(made.name, "main")[4][:10]
    assert f"History of main of {made.name}, from MongoDB at {mongo.removeprefix('mongodb://')}" in said
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.strip().startswith("main@")}
    assert rows["main@4"][1:] == [
        *("2024-01-03/2024-01-04", "main@2", "402", "1.2", digest, "2024-06-01", "12:10", "head"),
    ]
    assert rows["main@3"][2:4] == ["is", "slow@2"] and rows["main@3"][-2:] == ["off", "it"]
    assert "Head move 5: rolled back, to main@2 by ben, 2024-06-01 12:09:00" in said
    assert "slow@1" in fogline("slow", "--federation", made.name)


def test_it_writes_a_version_s_weights(made: ChainMaker, tmp_path: Path) -> None:
    file = tmp_path / "exported.safetensors"
    said = fogline("slow", "--export", "2", str(file), "--federation", made.name)
    assert said.startswith(f"Written: {file}, the weights of slow@2 of {made.name}")
    assert load(file).digest == made.history.held(made.name, "slow")[2]


@pytest.mark.parametrize(
    ("address", "arguments", "says"),
    [
        (None, ("fast",), "has no model of fast of"),
        (None, ("--export", "main@9", "x"), "has no main@9 of"),
        (None, ("--export", "newest", "x"), "'newest' is no version; write branch@number"),
        (None, ("--export", "main@1", "/dev/full/x"), "/dev/full/x: can't be written"),
        ("cassandra://ann:secret@127.0.0.1:1/models", (), "Cassandra at 127.0.0.1:1/models does not answer"),
        ("cassandra://ann:secret@127.0.0.1", (), "FOGLINE_HISTORY: it names no keyspace"),
    ],
)
def test_what_can_not_be_shown_is_one_line(
    made: ChainMaker, monkeypatch: pytest.MonkeyPatch, address: str | None, arguments: tuple[str, ...], says: str
) -> None:
    if address:
        monkeypatch.setenv(VARIABLE, address)
    said = fogline(*arguments, "--federation", made.name, fails=True)
    assert said.startswith("Error: ") and says in said and len(said.splitlines()) == 1 and "secret" not in said


def test_without_a_store_it_reads_the_ledger(
    session_stack: Stack, kafka: str, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_stack.parts.postgres.ensure_database(LEDGER_DATABASE)
    url = session_stack.parts.ledger_url
    upgrade(url)
    made = ChainMaker(tmp_path, f"f_{uuid.uuid4().hex[:8]}")
    made.ledger = Ledger(url)
    made.store = ArtifactStore((session_stack.settings.home / "models").as_uri())
    made.everything()
    monkeypatch.setenv("FOGLINE_HOME", str(session_stack.settings.home))
    monkeypatch.delenv(VARIABLE, raising=False)
    said = fogline("--federation", made.name)
    assert f"History of main of {made.name}, from the ledger" in said and "main@4" in said
    made.ledger.engine.dispose()


def test_airflow_is_given_the_store_as_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "cassandra://ann:pw@one,two:9043/models?datacenter=north")
    given = connections(Settings(), {})["AIRFLOW_CONN_FOGLINE_HISTORY"]
    assert json.loads(given) == {
        "conn_type": "cassandra",
        "host": "one,two:9043",
        "schema": "models",
        "login": "ann",
        "password": "pw",
        "extra": {"datacenter": "north"},
    }
    monkeypatch.delenv(VARIABLE)
    assert "AIRFLOW_CONN_FOGLINE_HISTORY" not in connections(Settings(), {})
