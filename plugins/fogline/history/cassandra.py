"""The history in Cassandra.

Each version is a row, written by ``INSERT … IF NOT EXISTS`` when all chunks of its weights are there: of two writers
one wins, and a killed one leaves chunks that nobody sees and the next one writes again.
"""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cassandra import (  # type: ignore[import-untyped]
    AuthenticationFailed,
    ConsistencyLevel,
    DriverException,
    InvalidRequest,
    Unauthorized,
)
from cassandra.auth import PlainTextAuthProvider  # type: ignore[import-untyped]
from cassandra.cluster import (  # type: ignore[import-untyped]
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    Session,
)
from cassandra.concurrent import execute_concurrent_with_args  # type: ignore[import-untyped]
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy  # type: ignore[import-untyped]
from cassandra.query import PreparedStatement, dict_factory  # type: ignore[import-untyped]

from fogline.canonical import sha256_hex
from fogline.history.address import HistoryAddress
from fogline.history.base import History
from fogline.history.entry import FogScore, HistoryEntry, Move
from fogline.history.errors import HistoryAddressError, HistoryDown, HistoryError, HistoryRefused, WeightsDamaged
from fogline.history.tls import tls_context
from fogline.versions import Version

SCHEMA = Path(__file__).with_name("schema.cql")
CHUNK_N_BYTES = 1024 * 1024
# At most this many chunks are under way at once.
N_AT_ONCE = 4
CONNECT_TIMEOUT_S, REQUEST_TIMEOUT_S = 10.0, 30.0
OPTIONS = ("datacenter", "tls", "tlsCAFile", "tlsCertificateKeyFile")
_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")


class CassandraHistory(History):
    """A history in one keyspace.

    Raises
    ------
    HistoryAddressError
        The keyspace has no usable name, or an option is not one of :data:`OPTIONS`.
    HistoryDown, HistoryRefused
        No node answers; the login is wrong.
    """

    def __init__(self, address: HistoryAddress) -> None:
        self.title = f"Cassandra at {address.place}"
        self._keyspace = _keyspace(address)
        self._statements: dict[str, PreparedStatement] = {}
        self._cluster = Cluster(
            [(host, port or 9042) for host, port in address.hosts],
            auth_provider=PlainTextAuthProvider(address.login, address.password) if address.login else None,
            ssl_context=tls_context(address),
            connect_timeout=CONNECT_TIMEOUT_S,
            control_connection_timeout=CONNECT_TIMEOUT_S,
            execution_profiles={EXEC_PROFILE_DEFAULT: _profile(address)},
        )
        try:
            with self._errors():
                self._session: Session = self._cluster.connect()
        except BaseException:
            self._cluster.shutdown()
            raise

    def prepare(self) -> None:
        """Create the keyspace (one replica) and the tables where they are missing."""
        if self._is_made():
            return
        with self._errors():
            if self._keyspace not in self._cluster.metadata.keyspaces:
                replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
                self._session.execute(
                    f"CREATE KEYSPACE IF NOT EXISTS {self._keyspace} WITH replication = {replication}"
                )
            self._session.execute(f"USE {self._keyspace}")
            text = re.sub(r"^--.*$", "", SCHEMA.read_text(), flags=re.MULTILINE)
            for statement in filter(str.strip, text.split(";")):
                self._session.execute(statement)

    def branches(self, federation: str) -> list[str]:
        """Return the branches with at least one version, by name."""
        rows = self._read("SELECT DISTINCT federation, branch FROM {}.versions")
        return sorted(row["branch"] for row in rows if row["federation"] == federation)

    def held(self, federation: str, branch: str) -> dict[int, str]:
        """Return the digests of a branch's versions, by number, in order."""
        rows = self._read(
            "SELECT version, digest FROM {}.versions WHERE federation = ? AND branch = ?", federation, branch
        )
        return {row["version"]: row["digest"] for row in rows}

    def versions(self, federation: str, branch: str) -> list[HistoryEntry]:
        """Return a branch's versions, in order."""
        rows = self._read("SELECT * FROM {}.versions WHERE federation = ? AND branch = ?", federation, branch)
        return [_entry(row) for row in rows]

    def find(self, federation: str, version: Version) -> HistoryEntry | None:
        """Return a version; None when it is not held."""
        row = self._row(federation, version)
        return None if row is None else _entry(row)

    def moves(self, federation: str, branch: str) -> list[Move]:
        """Return the moves of a branch's head, in order."""
        rows = self._read("SELECT * FROM {}.head_moves WHERE federation = ? AND branch = ?", federation, branch)
        return [Move(**{**row, "moved_at": _utc(row["moved_at"])}) for row in rows]

    def close(self) -> None:
        """Leave the cluster."""
        self._cluster.shutdown()

    def _content(self, entry: HistoryEntry) -> bytes:
        row = self._row(entry.federation, entry.name)
        assert row is not None
        keys = [(row["weights_sha256"], chunk) for chunk in range(row["weights_n_chunks"])]
        statement = self._statement("SELECT content FROM {}.weights WHERE sha256 = ? AND chunk = ?")
        with self._errors():
            found = [result.one() for _, result in execute_concurrent_with_args(
                self._session, statement, keys, concurrency=N_AT_ONCE)]  # fmt: skip
        if None in found:
            raise WeightsDamaged(f"{self.title}: chunk {found.index(None)} of {len(keys)} of {entry.name} is missing")
        content = b"".join(chunk["content"] for chunk in found)
        if sha256_hex(content) != row["weights_sha256"]:
            raise WeightsDamaged(f"{self.title}: the weights of {entry.name} are not those that were written")
        return content

    def _add_version(self, entry: HistoryEntry, content: bytes) -> bool:
        sha256 = sha256_hex(content)
        chunks = [content[at : at + CHUNK_N_BYTES] for at in range(0, len(content), CHUNK_N_BYTES)]
        self._add_chunks(sha256, chunks)
        values = {**dict(entry), "scores": {fog: tuple(dict(score).values()) for fog, score in entry.scores.items()}}
        return self._add("versions", {**values, "weights_sha256": sha256, "weights_n_chunks": len(chunks)})

    def _add_move(self, move: Move) -> bool:
        return self._add("head_moves", dict(move))

    def _add_chunks(self, sha256: str, chunks: list[bytes]) -> None:
        statement = self._statement("INSERT INTO {}.weights (sha256, chunk, content) VALUES (?, ?, ?)")
        rows = [(sha256, number, chunk) for number, chunk in enumerate(chunks)]
        with self._errors():
            execute_concurrent_with_args(self._session, statement, rows, concurrency=N_AT_ONCE)

    def _add(self, table: str, values: dict[str, Any]) -> bool:
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        statement = self._statement(f"INSERT INTO {{}}.{table} ({columns}) VALUES ({marks}) IF NOT EXISTS")
        with self._errors():
            return bool(self._session.execute(statement, list(values.values())).was_applied)

    def _row(self, federation: str, version: Version) -> dict[str, Any] | None:
        where = "federation = ? AND branch = ? AND version = ?"
        return next(iter(self._read(f"SELECT * FROM {{}}.versions WHERE {where}", federation, *version)), None)

    def _read(self, query: str, *values: Any) -> list[dict[str, Any]]:
        if not self._is_made():
            return []
        statement = self._statement(query)
        with self._errors():
            return list(self._session.execute(statement, values))

    def _statement(self, query: str) -> PreparedStatement:
        if query not in self._statements:
            with self._errors():
                self._statements[query] = self._session.prepare(query.format(self._keyspace))
        return self._statements[query]

    def _is_made(self) -> bool:
        keyspace = self._cluster.metadata.keyspaces.get(self._keyspace)
        return keyspace is not None and {"versions", "head_moves", "weights"} <= set(keyspace.tables)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the driver's errors into the history's, each told in one line."""
        try:
            yield
        except (Unauthorized, AuthenticationFailed) as error:
            raise self._refused(error) from error
        except NoHostAvailable as error:
            causes = list(error.errors.values()) if isinstance(error.errors, dict) else list(error.errors)
            if causes and all(isinstance(cause, AuthenticationFailed) for cause in causes):
                raise self._refused(causes[0]) from error
            raise HistoryDown(f"{self.title} does not answer: {_one_line(causes[0] if causes else error)}") from error
        except InvalidRequest as error:
            raise HistoryError(
                f"{self.title} refuses: {_one_line(error)}; are its tables those of {SCHEMA}?"
            ) from error
        except (DriverException, OSError) as error:
            raise HistoryDown(f"{self.title} does not answer: {_one_line(error)}") from error

    def _refused(self, error: Exception) -> HistoryRefused:
        return HistoryRefused(
            f"{self.title} refuses the login: {_one_line(error)}; it needs SELECT and MODIFY on the keyspace, and "
            f"CREATE where the keyspace or its tables ({SCHEMA.name}) are not made yet"
        )


def _keyspace(address: HistoryAddress) -> str:
    if not _KEYSPACE.fullmatch(address.schema):
        raise HistoryAddressError(
            f"{address.source}: {address.schema!r} is no name of a keyspace; use small letters, digits and _"
        )
    address.allow(OPTIONS)
    return address.schema


def _profile(address: HistoryAddress) -> ExecutionProfile:
    datacenter = address.options.get("datacenter", "")
    return ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(datacenter)),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=REQUEST_TIMEOUT_S,
        row_factory=dict_factory,
    )


def _entry(row: dict[str, Any]) -> HistoryEntry:
    values = {name: row[name] for name in HistoryEntry.model_fields}
    scores = {fog: FogScore(**score._asdict()) for fog, score in (row["scores"] or {}).items()}
    moments = {name: _utc(row[name]) for name in ("interval_start", "interval_end", "committed_at")}
    return HistoryEntry(**{**values, **moments, "scores": scores})


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    # The driver gives UTC without saying so.
    return None if moment is None else moment.replace(tzinfo=dt.UTC)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
