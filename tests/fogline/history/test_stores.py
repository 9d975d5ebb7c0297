"""What is the stores' own: rights, damage, and being away."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fogline.history.address import from_uri
from fogline.history.cassandra import CassandraHistory
from fogline.history.catch_up import CaughtUp, catch_up
from fogline.history.errors import HistoryDown, HistoryError, HistoryRefused, WeightsDamaged
from fogline.history.mongo import MongoHistory
from fogline.history.stores import open_history
from fogline.stack.settings import HOST, Settings
from fogline.versions import Version
from tests.support.chains import ChainMaker
from tests.support.mongo import Mongo

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[ChainMaker]:
    maker = ChainMaker(tmp_path, f"f_{uuid.uuid4().hex[:8]}")
    maker.commit()
    yield maker
    maker.ledger.engine.dispose()


@pytest.fixture
def in_cassandra(cassandra: str, made: ChainMaker) -> Iterator[CassandraHistory]:
    with open_history(from_uri(cassandra)) as opened:
        assert isinstance(opened, CassandraHistory)
        catch_up(opened, made.history, made.name)
        yield opened


@pytest.fixture
def in_mongo(mongo: str, made: ChainMaker) -> Iterator[MongoHistory]:
    with open_history(from_uri(mongo)) as opened:
        assert isinstance(opened, MongoHistory)
        catch_up(opened, made.history, made.name)
        yield opened


@pytest.mark.parametrize("uri", ["cassandra://127.0.0.1:1/models", "mongodb://u:secret@127.0.0.1:1/models"])
def test_a_store_that_is_down_is_one_line_and_may_be_tried_again(
    uri: str, made: ChainMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fogline.history.mongo.CONNECT_TIMEOUT_MS", 300)
    says = r"at 127.0.0.1:1/models does not answer: .*refused"
    with pytest.raises(HistoryDown, match=says) as raised, open_history(from_uri(uri)) as opened:
        catch_up(opened, made.history, made.name)
    assert "secret" not in str(raised.value) and "\n" not in str(raised.value)


def test_a_store_that_was_down_catches_up_when_it_is_back(
    made: ChainMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fogline.history.mongo.CONNECT_TIMEOUT_MS", 300)
    server = Mongo(tmp_path, Settings().tools)
    uri = f"mongodb://{HOST}:{server.port}/models"

    def catch_up_now() -> CaughtUp:
        with open_history(from_uri(uri)) as opened:
            return catch_up(opened, made.history, made.name)

    try:
        server.start()
        assert catch_up_now() == CaughtUp(1, 1)
        server.stop()
        # Rounds go on.
        for index in (0, 1):
            made.commit(index=index)
            with pytest.raises(HistoryDown):
                catch_up_now()
        server.start()
        assert catch_up_now() == CaughtUp(2, 2)
        with open_history(from_uri(uri)) as opened:
            assert opened.versions(made.name, "main") == made.history.versions(made.name, "main")
    finally:
        server.stop()


def test_a_wrong_password_is_no_passing_fault(cassandra: str) -> None:
    with pytest.raises(HistoryRefused, match=r"refuses the login: .*incorrect.* it needs SELECT and MODIFY"):
        open_history(from_uri(cassandra.replace("cassandra:cassandra@", "cassandra:wrong@")))


def test_without_the_right_to_create_it_says_what_is_needed_and_uses_what_is_there(
    cassandra: str, in_cassandra: CassandraHistory, made: ChainMaker
) -> None:
    execute = in_cassandra._session.execute
    execute("CREATE ROLE IF NOT EXISTS writer WITH LOGIN = true AND PASSWORD = 'pw'")
    execute("GRANT SELECT ON KEYSPACE fogline TO writer")
    execute("GRANT MODIFY ON KEYSPACE fogline TO writer")
    writer = cassandra.replace("cassandra:cassandra@", "writer:pw@")
    made.commit(index=0)
    with open_history(from_uri(writer)) as opened:
        assert catch_up(opened, made.history, made.name) == CaughtUp(1, 1)
    with (
        open_history(from_uri(writer.replace("/fogline", "/elsewhere"))) as opened,
        pytest.raises(HistoryRefused, match="CREATE where the keyspace or its tables"),
    ):
        opened.prepare()


def test_an_empty_cassandra_reads_as_empty(cassandra: str) -> None:
    with open_history(from_uri(cassandra.replace("/fogline", "/nothing_here"))) as opened:
        assert opened.branches("f") == [] and opened.held("f", "main") == {} and opened.moves("f", "main") == []
        with pytest.raises(HistoryError, match="holds nothing of that branch"):
            opened.weights("f", Version("main", 0))


def damage_cassandra(history: CassandraHistory, made: ChainMaker, change: str) -> None:
    row: Any = history._row(made.name, Version("main", 0))
    history._session.execute(f"{change} WHERE sha256 = '{row['weights_sha256']}' AND chunk = 0")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("DELETE FROM fogline.weights", "chunk 0 of 1 of main@0 is missing"),
        ("UPDATE fogline.weights SET content = 0xdeadbeef", "weights of main@0 are not those that were written"),
    ],
)
def test_damaged_weights_in_cassandra_are_not_given_out(
    in_cassandra: CassandraHistory, made: ChainMaker, change: str, says: str
) -> None:
    damage_cassandra(in_cassandra, made, change)
    with pytest.raises(WeightsDamaged, match=says):
        in_cassandra.weights(made.name, Version("main", 0))


def test_damaged_weights_in_mongo_are_not_given_out(in_mongo: MongoHistory, made: ChainMaker) -> None:
    row: Any = in_mongo._row(made.name, Version("main", 0))
    database = in_mongo._versions.database
    content = database["weights.chunks"].find_one({"files_id": row["weights"]["file"]})["data"]  # type: ignore[index]
    for damaged, says in ((content[:-4] + b"\0\0\0\0", "not those that were written"), (None, "are not whole")):
        database["weights.chunks"].delete_one({"files_id": row["weights"]["file"]})
        if damaged:
            database["weights.chunks"].insert_one({"files_id": row["weights"]["file"], "n": 0, "data": damaged})
        with pytest.raises(WeightsDamaged, match=says):
            in_mongo.weights(made.name, Version("main", 0))


def test_a_copy_shares_its_origin_s_weights(in_mongo: MongoHistory, made: ChainMaker) -> None:
    made.begin("slow", Version("main", 0))
    catch_up(in_mongo, made.history, made.name)
    origin, copy = (in_mongo._row(made.name, Version(branch, 0)) for branch in ("main", "slow"))
    assert origin is not None and copy is not None and origin["weights"] == copy["weights"]


def test_the_model_store_s_loss_is_told_and_nothing_is_written(mongo: str, made: ChainMaker) -> None:
    with open_history(from_uri(mongo)) as opened:
        path = Path(made.store.url.removeprefix("file://"))
        (file,) = path.rglob("*.safetensors")
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(WeightsDamaged, match="the weights of main@0: is no safetensors file"):
            catch_up(opened, made.history, made.name)
        assert opened.held(made.name, "main") == {}
