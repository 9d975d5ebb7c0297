"""The spool: a bounded file where readings wait until Kafka has them, also through a kill or a loss of power.

It is SQLite with a write-ahead log. An append is one transaction, flushed to the disk before it returns, so a source
may acknowledge what it appended; what is read from a file goes in together with how far the file was read.
"""

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

from producer.errors import ProducerError

log = logging.getLogger(__name__)

# Key (None: the sensor can't be told) and value of a record.
Message: TypeAlias = tuple[bytes | None, bytes]

VERSION = 1
# What Kafka will never take is kept to be looked at, but must not fill the spool for the rest.
REFUSED_SHARE = 0.1
SCHEMA = """
CREATE TABLE waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB, value BLOB NOT NULL, is_replay INTEGER NOT NULL);
CREATE TABLE refused (
    number INTEGER PRIMARY KEY, key BLOB, value BLOB NOT NULL, reason TEXT NOT NULL, refused_at TEXT NOT NULL);
CREATE TABLE positions (name TEXT PRIMARY KEY, content TEXT NOT NULL);
"""


class Waiting(NamedTuple):
    """A record in the spool."""

    number: int
    key: bytes | None
    value: bytes
    is_replay: bool


class _DiskFull(ProducerError):
    """The disk has no room for a transaction; nothing of it was stored."""


class Spool:
    """Records in the order they came; one thread may append while another takes away.

    Parameters
    ----------
    path
        Its file; ``-wal`` and ``.lock`` lie beside it.
    max_bytes
        How much of the file may be in use; at it nothing more is taken.

    Raises
    ------
    ProducerError
        Another process uses it, it is no spool, or it can't be written.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path, self.max_bytes = path, max_bytes
        self._guard = threading.RLock()
        self._changed = threading.Condition(self._guard)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = Path(f"{path}.lock").open("w")  # noqa: SIM115
        except OSError as error:
            raise ProducerError(
                f"{path}: can't be written ({error.strerror}); choose the folder with --state"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise ProducerError(
                f"{path}: another producer uses this spool; stop it, or give this one a --state of its own"
            ) from None
        # Two threads share the connection; the guard lets one in at a time.
        with self._named_errors():
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._open()

    def _open(self) -> None:
        self._database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=8388608"
        )
        version = self._one("PRAGMA user_version")
        if version not in (0, VERSION):
            raise ProducerError(
                f"{self.path}: a spool of version {version}, not {VERSION}; empty it with the producer that wrote it"
            )
        if version == 0:
            self._database.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={VERSION}; COMMIT")
        self.n_readings = self._one("SELECT count(*) FROM waiting")
        self.n_refused = self._one("SELECT count(*) FROM refused")
        self._measure()

    def _one(self, question: str) -> int:
        return int(self._database.execute(question).fetchone()[0])

    def _measure(self) -> None:
        n_pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        self.n_bytes = n_pages * self._one("PRAGMA page_size")

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken."""
        return self.n_bytes >= self.max_bytes

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise _DiskFull(f"{self.path}: the disk is full") from error
            raise ProducerError(
                f"{self.path}: the spool can't be used ({error}); if it is damaged, move it away: "
                "what waits in it is not sent then"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._named_errors(), self._guard:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            self._measure()
            self._changed.notify_all()

    def append(
        self, messages: Sequence[Message], *, is_replay: bool, positions: Mapping[str, str | None] | None = None
    ) -> bool:
        """Store records and positions together; return False, having stored nothing, when there is no room.

        Parameters
        ----------
        positions
            Texts by name; None forgets one. Without records they are stored in a full spool too.
        """
        with self._guard:
            if messages and self.is_full:
                return False
            rows = [(key, value, is_replay) for key, value in messages]
            try:
                with self._transaction() as database:
                    database.executemany("INSERT INTO waiting (key, value, is_replay) VALUES (?, ?, ?)", rows)
                    for name, content in (positions or {}).items():
                        database.execute("DELETE FROM positions WHERE name = ?", (name,))
                        if content is not None:
                            database.execute("INSERT INTO positions VALUES (?, ?)", (name, content))
            except _DiskFull:
                return False
            self.n_readings += len(rows)
            return True

    def positions(self) -> dict[str, str]:
        """Return the texts that were stored by name."""
        with self._named_errors(), self._guard:
            return dict(self._database.execute("SELECT name, content FROM positions ORDER BY rowid"))

    def first(self, n_readings: int, n_bytes: int) -> list[Waiting]:
        """Return the oldest records, at most so many and of about so many bytes."""
        found: list[Waiting] = []
        query = "SELECT number, key, value, is_replay FROM waiting ORDER BY number LIMIT ?"
        with self._named_errors(), self._guard:
            for row in self._database.execute(query, (n_readings,)):
                found.append(Waiting(*row[:3], bool(row[3])))
                n_bytes -= len(row[2])
                if n_bytes <= 0:
                    break
        return found

    def settle(self, delivered: Sequence[int], refused: Mapping[int, str]) -> bool:
        """Take away what was delivered and set aside what was refused, by number; return False if the disk is full."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        set_aside = [(reason, now, number) for number, reason in refused.items()]
        gone = [(number,) for number in (*delivered, *refused)]
        query = "INSERT INTO refused SELECT number, key, value, ?, ? FROM waiting WHERE number = ?"
        with self._guard:
            try:
                with self._transaction() as database:
                    database.executemany(query, set_aside)
                    database.executemany("DELETE FROM waiting WHERE number = ?", gone)
                    if refused:
                        self._shorten_refused()
            except _DiskFull:
                return False
            self.n_readings -= len(gone)
            self.n_refused = self._one("SELECT count(*) FROM refused") if refused else self.n_refused
            return True

    def _shorten_refused(self) -> None:
        room = self.max_bytes * REFUSED_SHARE
        query = "SELECT number, length(value) + coalesce(length(key), 0) FROM refused ORDER BY number DESC"
        for n_kept, (number, n_bytes) in enumerate(self._database.execute(query).fetchall()):
            room -= n_bytes
            if room < 0 and n_kept:
                log.warning("%s: refused records up to number %d are removed to keep newer ones", self.path, number)
                self._database.execute("DELETE FROM refused WHERE number <= ?", (number,))
                return

    def wait_for_readings(self, timeout_s: float) -> None:
        """Return when there is a record, or in the end."""
        with self._changed:
            self._changed.wait_for(lambda: self.n_readings > 0, timeout_s)

    def wait_for_room(self, timeout_s: float) -> None:
        """Return when there is room, or in the end."""
        with self._changed:
            self._changed.wait_for(lambda: not self.is_full, timeout_s)

    def close(self) -> None:
        """Leave it to the next process."""
        with self._guard:
            self._database.close()
            self._lock.close()
