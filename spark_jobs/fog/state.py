"""What a fog node must know again after a crash: how far its readings are, and what it has answered."""

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spark_jobs.fog.readings import EPOCH

_MICROSECOND = dt.timedelta(microseconds=1)
_TABLES = """
CREATE TABLE IF NOT EXISTS progress (sensor_id TEXT PRIMARY KEY, newest_us INTEGER, silent INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS answered (plan_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS counts (
    checkpoint TEXT PRIMARY KEY, batch INTEGER NOT NULL,
    n_kept_before INTEGER NOT NULL, n_rejected_before INTEGER NOT NULL,
    n_kept INTEGER NOT NULL, n_rejected INTEGER NOT NULL
);
"""
# A replayed batch replaces its own counts; a new one adds those of its predecessor to the total.
_COUNT = """
INSERT INTO counts VALUES (:checkpoint, :batch, 0, 0, :n_kept, :n_rejected)
ON CONFLICT (checkpoint) DO UPDATE SET
    n_kept_before = n_kept_before + iif(excluded.batch > batch, n_kept, 0),
    n_rejected_before = n_rejected_before + iif(excluded.batch > batch, n_rejected, 0),
    batch = excluded.batch, n_kept = excluded.n_kept, n_rejected = excluded.n_rejected
"""
_PROGRESS = """
INSERT INTO progress VALUES (?, ?, 0)
ON CONFLICT (sensor_id) DO UPDATE SET
    newest_us = max(coalesce(newest_us, excluded.newest_us), excluded.newest_us), silent = 0
"""


@dataclass(frozen=True)
class Progress:
    """The newest event time of each sensor that ever reported, and the sensors not waited for until they report."""

    newest: Mapping[str, dt.datetime]
    silent: frozenset[str]


@dataclass(frozen=True)
class BatchCounts:
    """One ingested batch; ``checkpoint`` and ``batch`` are the same when it is replayed."""

    checkpoint: str
    batch: int
    n_kept: int
    n_rejected: int


class FogState:
    """A small SQLite file; safe between threads. ``changed`` is notified when progress or `notify` says so."""

    def __init__(self, path: Path) -> None:
        self.changed = threading.Condition()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_TABLES)
        self._progress = self._read_progress()

    @property
    def progress(self) -> Progress:
        """How far the readings are."""
        with self.changed:
            return self._progress

    def record_batch(self, counts: BatchCounts, newest: Mapping[str, dt.datetime]) -> None:
        """Note a batch whose readings are in the store, and wake whoever waits for them."""
        with self.changed:
            self._connection.execute("BEGIN")
            self._connection.execute(_COUNT, vars(counts))
            rows = [(sensor, (time - EPOCH) // _MICROSECOND) for sensor, time in newest.items()]
            self._connection.executemany(_PROGRESS, rows)
            self._connection.execute("COMMIT")
            self._progress = self._read_progress()
            self.changed.notify_all()

    def mark_silent(self, sensors: Iterable[str]) -> None:
        """Note sensors that a plan waited for in vain; their next reading clears the mark."""
        with self.changed:
            self._connection.executemany(
                "INSERT INTO progress VALUES (?, NULL, 1) ON CONFLICT (sensor_id) DO UPDATE SET silent = 1",
                [(sensor,) for sensor in sensors],
            )
            self._progress = self._read_progress()

    def totals(self) -> tuple[int, int]:
        """Return how many readings were kept and rejected since the folder was made."""
        with self.changed:
            row = self._connection.execute(
                "SELECT coalesce(sum(n_kept_before + n_kept), 0), coalesce(sum(n_rejected_before + n_rejected), 0)"
                " FROM counts"
            ).fetchone()
        return int(row[0]), int(row[1])

    def is_answered(self, plan_id: str) -> bool:
        """Tell whether a plan's answer was published."""
        with self.changed:
            return bool(self._connection.execute("SELECT 1 FROM answered WHERE plan_id = ?", (plan_id,)).fetchone())

    def mark_answered(self, plan_id: str) -> None:
        """Note that a plan's answer was published; a crash before this means the same answer twice."""
        with self.changed:
            self._connection.execute("INSERT OR IGNORE INTO answered VALUES (?)", (plan_id,))

    def close(self) -> None:
        """Close the file."""
        with self.changed:
            self._connection.close()

    def _read_progress(self) -> Progress:
        rows = self._connection.execute("SELECT sensor_id, newest_us, silent FROM progress").fetchall()
        return Progress(
            newest={sensor: EPOCH + us * _MICROSECOND for sensor, us, _ in rows if us is not None},
            silent=frozenset(sensor for sensor, _, silent in rows if silent),
        )
