"""What a history promises, in Cassandra, in MongoDB and in the ledger that fills them alike."""

import datetime as dt
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from fogline.history.address import from_uri
from fogline.history.base import History
from fogline.history.catch_up import CaughtUp, catch_up
from fogline.history.chain import chain_of
from fogline.history.entry import FogScore
from fogline.history.errors import HistoryConflict, HistoryError, WeightsDamaged
from fogline.history.stores import open_history
from fogline.ledger import models
from fogline.model import from_bytes
from fogline.versions import Version
from tests.support.chains import BEGAN, ChainMaker

# A first build of the stand-in for MongoDB may take minutes.
pytestmark = pytest.mark.timeout(600)
STORES = ["cassandra", "mongo"]
# Catches up and dies where the weights are written and the entry is not.
KILLED_WRITER = """
import os, signal, sys
from fogline.artifacts import ArtifactStore
from fogline.history.address import from_uri
from fogline.history.catch_up import catch_up
from fogline.history.ledger import LedgerHistory
from fogline.history.stores import open_history
from fogline.ledger.database import Ledger
uri, ledger, models, federation = sys.argv[1:]
history = open_history(from_uri(uri))
type(history)._add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
catch_up(history, LedgerHistory(Ledger(ledger), ArtifactStore(models)), federation)
"""


@pytest.fixture
def name() -> str:
    """A federation that no other test has in the session's stores."""
    return f"f_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def made(tmp_path: Path, name: str) -> Iterator[ChainMaker]:
    maker = ChainMaker(tmp_path, name)
    yield maker
    maker.ledger.engine.dispose()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[History]:
    with open_history(from_uri(request.getfixturevalue(request.param))) as opened:
        opened.prepare()
        yield opened


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainMaker]:
    """A ledger with all that can happen to branches, which the tests only read."""
    maker = ChainMaker(tmp_path_factory.mktemp("filled"), f"f_{uuid.uuid4().hex[:8]}")
    maker.everything()
    yield maker
    maker.ledger.engine.dispose()


@pytest.fixture(params=[*STORES, "ledger"])
def history(request: pytest.FixtureRequest, filled: ChainMaker) -> Iterator[History]:
    """A history of it."""
    if request.param == "ledger":
        yield filled.history
        return
    with open_history(from_uri(request.getfixturevalue(request.param))) as opened:
        catch_up(opened, filled.history, filled.name)
        yield opened


def test_it_tells_what_it_holds_and_catching_up_again_adds_nothing(history: History, filled: ChainMaker) -> None:
    assert history.branches(filled.name) == ["main", "slow"]
    assert list(history.held(filled.name, "main")) == [0, 1, 2, 3, 4]
    assert history.held(filled.name, "slow") == filled.history.held(filled.name, "slow")
    assert history.branches("orchard") == [] and history.held(filled.name, "fast") == {}
    assert catch_up(history, filled.history, filled.name) == CaughtUp(0, 0)


def test_a_version_has_all_that_the_ledger_knows_of_it(history: History, filled: ChainMaker) -> None:
    entry = history.entry(filled.name, Version("main", 4))
    with filled.ledger.transaction() as session:
        row = models.version_of(session, filled.name, Version("main", 4))
    start = dt.datetime(2024, 1, 3, tzinfo=dt.UTC)
    assert (entry.base, entry.copy_of, entry.digest, entry.plan_id) == ("main@2", None, row.digest, row.plan_id)
    assert (entry.interval_index, entry.interval_start) == (2, start)
    assert entry.interval_end == start + dt.timedelta(days=1)
    assert (entry.head_no, entry.n_examples, entry.strategy, entry.dag_run_id) == (6, 402, "weighted_mean", "run-2")
    assert entry.scores == {
        "fog-a": FogScore(n=10, rmse_before=2.0, rmse_after=1.2),
        "fog-b": FogScore(n=0, rmse_before=None, rmse_after=None),
    }
    assert entry.rmse == 1.2
    # A rollback made it the head again, with number 5.
    assert history.entry(filled.name, Version("main", 2)).head_no == 3
    first = history.entry(filled.name, Version("main", 0))
    assert (first.base, first.interval_start, first.scores, first.rmse) == (None, None, {}, None)


def test_times_are_utc_to_the_millisecond(history: History, filled: ChainMaker) -> None:
    first = history.entry(filled.name, Version("main", 0))
    assert first.committed_at == (BEGAN + dt.timedelta(minutes=1)).replace(microsecond=123_000)
    assert first.committed_at.utcoffset() == dt.timedelta(0)
    elsewhere = dt.timezone(dt.timedelta(hours=5, minutes=30))
    same = type(first)(**{**dict(first), "committed_at": first.committed_at.astimezone(elsewhere)})
    assert history.record_version(same, history.weights(filled.name, first.name)) is False
    with pytest.raises(ValidationError, match="timezone"):
        type(first)(**{**dict(first), "committed_at": dt.datetime(2024, 6, 1)})


def test_chain_and_moves_are_the_ledger_s(history: History, filled: ChainMaker) -> None:
    for branch, names in (("main", ["main@0", "main@1", "main@2", "main@4"]), ("slow", ["main@0", "slow@1", "slow@2"])):
        chain = chain_of(history, filled.name, branch)
        with filled.ledger.transaction() as session:
            rows, moves = models.chain_of(session, filled.name, branch), models.moves_of(session, filled.name, branch)
        assert [str(entry.name) for entry in chain] == [row.name for row in rows] == names
        assert [entry.digest for entry in chain] == [row.digest for row in rows]
        found = [(one.head_no, one.version, one.reason, one.moved_by) for one in history.moves(filled.name, branch)]
        assert found == [(one.head_no, one.version, one.reason, one.moved_by) for one in moves]
    assert [(one.version, one.reason) for one in history.moves(filled.name, "main")][3:] == [
        (3, "promoted"),
        (2, "rolled back"),
        (4, "committed"),
    ]


def test_a_copy_names_its_origin_and_has_its_weights(history: History, filled: ChainMaker) -> None:
    promoted, origin = history.entry(filled.name, Version("main", 3)), history.entry(filled.name, Version("slow", 2))
    assert (promoted.copy_of, promoted.digest, promoted.head_no) == ("slow@2", origin.digest, 4)
    assert history.weights(filled.name, promoted.name) == history.weights(filled.name, origin.name)


def test_weights_come_back_as_the_model_store_has_them(history: History, filled: ChainMaker) -> None:
    for entry in history.versions(filled.name, "main"):
        content = history.weights(filled.name, entry.name)
        assert content == filled.store.read(f"{entry.plan_id}/{entry.digest}.safetensors")
        assert from_bytes(content, "it").digest == entry.digest


def test_what_is_not_held_is_said(history: History, filled: ChainMaker) -> None:
    with pytest.raises(HistoryError, match=rf"has no main@9 of {filled.name}: it ends with main@4"):
        history.weights(filled.name, Version("main", 9))
    with pytest.raises(HistoryError, match="holds nothing of that branch"):
        history.entry(filled.name, Version("fast", 0))


def test_another_version_or_move_under_the_same_number_is_refused_and_the_first_stays(
    history: History, filled: ChainMaker
) -> None:
    held, other = history.entry(filled.name, Version("main", 1)), history.entry(filled.name, Version("main", 2))
    imposter = type(held)(**{**dict(other), "version": 1})
    with pytest.raises(HistoryConflict, match=rf"holds another main@1 of {filled.name}: .*history of another ledger"):
        history.record_version(imposter, history.weights(filled.name, other.name))
    move = history.moves(filled.name, "main")[1]
    with pytest.raises(HistoryConflict, match=r"another head move 2 of main .*version is 1 there and 2 here"):
        history.record_move(type(move)(**{**dict(move), "version": 2}))
    assert history.entry(filled.name, Version("main", 1)) == held and history.moves(filled.name, "main")[1] == move


def test_weights_of_another_version_are_not_taken(history: History, filled: ChainMaker) -> None:
    held, other = history.entry(filled.name, Version("main", 1)), history.entry(filled.name, Version("main", 2))
    with pytest.raises(WeightsDamaged, match="the weights of main@1 have digest"):
        history.record_version(held, history.weights(filled.name, other.name))
    with pytest.raises(WeightsDamaged, match="is no safetensors file"):
        history.record_version(held, history.weights(filled.name, held.name)[:-1])


def test_an_existing_ledger_is_written_oldest_first(store: History, made: ChainMaker, name: str) -> None:
    made.everything()
    written: list[str] = []
    assert catch_up(store, made.history, name, lambda entry: written.append(str(entry.name))) == CaughtUp(7, 8)
    assert written == ["main@0", "main@1", "main@2", "slow@1", "slow@2", "main@3", "main@4"]
    made.commit(index=3)
    assert catch_up(store, made.history, name) == CaughtUp(1, 1)
    assert store.versions(name, "main") == made.history.versions(name, "main")


def test_a_writer_killed_before_the_entry_leaves_nothing_visible(
    store: History, request: pytest.FixtureRequest, made: ChainMaker, name: str
) -> None:
    made.commit()
    uri = request.getfixturevalue(request.node.callspec.params["store"])
    command = [sys.executable, "-c", KILLED_WRITER, uri, str(made.ledger.engine.url), made.store.url]
    assert subprocess.run([*command, name]).returncode == -signal.SIGKILL
    assert store.branches(name) == [] and store.held(name, "main") == {} and store.versions(name, "main") == []
    assert catch_up(store, made.history, name) == CaughtUp(1, 1)
    assert store.weights(name, Version("main", 0)) == made.history.weights(name, Version("main", 0))


def test_the_history_of_another_ledger_is_refused_before_anything_is_written(
    store: History, made: ChainMaker, name: str, tmp_path: Path
) -> None:
    made.everything()
    catch_up(store, made.history, name)
    folder = tmp_path / "other"
    folder.mkdir()
    other = ChainMaker(folder, name, seed=1)
    other.everything()
    # The same moves at the same times, with other models.
    other.commit(index=3)
    with pytest.raises(HistoryConflict, match=r"another main@0 .*give this one a keyspace or database of its own"):
        catch_up(store, other.history, name)
    assert list(store.held(name, "main")) == [0, 1, 2, 3, 4] and len(store.moves(name, "main")) == 6
    other.ledger.engine.dispose()


def test_other_head_moves_than_the_ledger_s_are_refused(store: History, made: ChainMaker, name: str) -> None:
    made.everything()
    catch_up(store, made.history, name)
    with made.ledger.transaction() as session:
        models.moves_of(session, name, "main")[3].moved_by = "somebody else"
    made.commit(index=3)
    with pytest.raises(HistoryConflict, match=r"another head move 4 of main .*moved_by is ann there and somebody else"):
        catch_up(store, made.history, name)
    assert list(store.held(name, "main")) == [0, 1, 2, 3, 4]


def test_two_writers_at_once_write_each_version_once(
    request: pytest.FixtureRequest, store: History, made: ChainMaker, name: str
) -> None:
    made.everything()
    uri = request.getfixturevalue(request.node.callspec.params["store"])
    together, results = threading.Barrier(3), []

    def write() -> None:
        with open_history(from_uri(uri)) as own:
            together.wait()
            results.append(catch_up(own, made.history, name))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(one.n_versions for one in results), sum(one.n_moves for one in results)) == (7, 8)
    for branch in ("main", "slow"):
        assert store.versions(name, branch) == made.history.versions(name, branch)
        assert store.moves(name, branch) == made.history.moves(name, branch)
    assert [len(store.weights(name, one.name)) for one in store.versions(name, "main")]


def test_twenty_megabytes_of_weights_go_in_and_come_out(store: History, tmp_path: Path, name: str) -> None:
    made = ChainMaker(tmp_path, name, model={"kind": "mlp", "hidden": [2235, 2235]})
    made.commit()
    catch_up(store, made.history, name)
    content = store.weights(name, Version("main", 0))
    assert len(content) > 20_000_000 and content == made.history.weights(name, Version("main", 0))
    made.ledger.engine.dispose()
