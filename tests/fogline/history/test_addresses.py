"""Where a history lies, as people write it; what is wrong is one line without the password."""

import pytest

from fogline.history.address import HistoryAddress, from_uri
from fogline.history.errors import HistoryAddressError
from fogline.history.stores import open_history


@pytest.mark.parametrize(
    ("uri", "kind", "hosts", "schema"),
    [
        ("cassandra://ann:s%40me@one,two:9043/models", "cassandra", (("one", None), ("two", 9043)), "models"),
        ("mongodb://ann:s%40me@one:27018,[::1]:27019/models", "mongo", (("one", 27018), ("::1", 27019)), "models"),
        ("mongodb+srv://ann:s%40me@cluster.example/models", "mongo", (("cluster.example", None),), "models"),
    ],
)
def test_a_uri_is_read(uri: str, kind: str, hosts: tuple[tuple[str, int | None], ...], schema: str) -> None:
    address = from_uri(uri)
    assert (address.kind, address.hosts, address.schema) == (kind, hosts, schema)
    assert (address.login, address.password) == ("ann", "s@me")
    assert "s@me" not in repr(address) + address.place


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("cassandra:ks", "FOGLINE_HISTORY: it is no address of a history; write cassandra://user:password@host:9042/"),
        ("redis://:secret@host/0", "'redis' is no kind of history store; it is one of cassandra, mongo"),
        ("cassandra://u:secret@host", "it names no keyspace; give it as the connection's schema, in a URI behind"),
        ("mongodb://u:secret@host/", r"it names no database; .*mongodb://host/database"),
        ("cassandra://u:secret@one:two/ks", "'one:two' is no host; write name or name:port"),
        ("cassandra://u:secret@host/my-models", "'my-models' is no name of a keyspace; use small letters"),
        ("cassandra://u:secret@host/ks?ssl=true", "unknown option ssl; there are: datacenter, tls, tlsCAFile"),
        ("cassandra://u:secret@host/ks?tls=true&tlsCAFile=/no.pem", "its certificates can't be read: .*No such file"),
        ("mongodb://u:secret@host/db?retryReads=perhaps", r"FOGLINE_HISTORY: .*retryReads"),
        ("mongodb://u:secret@host/db?shine=yes", r"FOGLINE_HISTORY: .*shine"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(uri: str, says: str) -> None:
    with pytest.raises(HistoryAddressError, match=says) as raised:
        open_history(from_uri(uri))
    assert "secret" not in str(raised.value) and "\n" not in str(raised.value)


def test_a_connection_says_the_same() -> None:
    address = from_uri("mongodb+srv://ann:pw@cluster.example/models?tls=true")
    assert address.connection() == {
        "conn_type": "mongo",
        "host": "cluster.example",
        "schema": "models",
        "login": "ann",
        "password": "pw",
        "extra": {"tls": "true", "srv": True},
    }
    assert HistoryAddress("it", "cassandra", (("h", 1),), "ks").connection() == {
        "conn_type": "cassandra",
        "host": "h:1",
        "schema": "ks",
    }
