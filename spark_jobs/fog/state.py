"""What a fog node must know again after a crash: how far its readings are, and what it has answered."""

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spark_jobs.fog.rules.moment import EPOCH, MICROSECOND
from spark_jobs.fog.watermark import Watermark, newest_of

# Names of the tally beside verdicts.
RECEIVED, KEPT, LOST = "received", "kept", "lost"
_TABLES = """
CREATE TABLE IF NOT EXISTS progress (sensor_id TEXT PRIMARY KEY, newest_us INTEGER, silent INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS answered (plan_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tally (
    checkpoint TEXT NOT NULL, name TEXT NOT NULL, batch INTEGER NOT NULL,
    n_before INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (checkpoint, name)
);
CREATE TABLE IF NOT EXISTS watermarks (
    checkpoint TEXT NOT NULL, sensor_id TEXT NOT NULL, batch INTEGER NOT NULL,
    newest_before_us INTEGER, jump_before_us INTEGER, newest_us INTEGER, jump_us INTEGER,
    PRIMARY KEY (checkpoint, sensor_id)
);
CREATE TABLE IF NOT EXISTS positions (
    checkpoint TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    PRIMARY KEY (checkpoint, partition)
);
"""
# A replayed batch replaces its own counts; a new one adds those of its predecessor to the total.
_COUNT = """
INSERT INTO tally VALUES (:checkpoint, :name, :batch, 0, :n)
ON CONFLICT (checkpoint, name) DO UPDATE SET
    n_before = n_before + iif(excluded.batch > batch, n, 0), batch = excluded.batch, n = excluded.n
"""
_FOLLOW = """
INSERT INTO watermarks VALUES (:checkpoint, :sensor, :batch, NULL, NULL, :newest_us, :jump_us)
ON CONFLICT (checkpoint, sensor_id) DO UPDATE SET
    newest_before_us = iif(excluded.batch > batch, newest_us, newest_before_us),
    jump_before_us = iif(excluded.batch > batch, jump_us, jump_before_us),
    batch = excluded.batch, newest_us = excluded.newest_us, jump_us = excluded.jump_us
"""
_ADVANCE = """
INSERT INTO positions VALUES (?, ?, ?)
ON CONFLICT (checkpoint, partition) DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)
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
class Batch:
    """A fog's batch: of a checkpoint, and numbered from zero there."""

    checkpoint: str
    number: int


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

    def watermarks(self, batch: Batch) -> dict[str, Watermark]:
        """Return the sensors' watermarks before a batch, also when it is replayed."""
        with self.changed:
            rows = self._connection.execute(
                "SELECT sensor_id, batch < ?, newest_before_us, jump_before_us, newest_us, jump_us FROM watermarks"
                " WHERE checkpoint = ?",
                (batch.number, batch.checkpoint),
            ).fetchall()
        return {row[0]: Watermark(*(row[4:6] if row[1] else row[2:4])) for row in rows}

    def position(self, checkpoint: str) -> dict[int, int]:
        """Return the next offset by partition; of a checkpoint that has recorded nothing, nothing."""
        with self.changed:
            rows = self._connection.execute(
                "SELECT partition, next_offset FROM positions WHERE checkpoint = ?", (checkpoint,)
            ).fetchall()
        return dict(rows)

    def last_batch(self, checkpoint: str) -> int:
        """Return the number of the last batch that was recorded, -1 where none was."""
        with self.changed:
            row = self._connection.execute(
                "SELECT max(batch) FROM tally WHERE checkpoint = ?", (checkpoint,)
            ).fetchone()
        return -1 if row[0] is None else int(row[0])

    def advance(self, checkpoint: str, position: Mapping[int, int]) -> None:
        """Note how far a topic was read, where nothing of it was for this fog."""
        with self.changed:
            self._connection.execute("BEGIN")
            self._advance(checkpoint, position)
            self._connection.execute("COMMIT")

    def record_batch(
        self,
        batch: Batch,
        tally: Mapping[str, int],
        watermarks: Mapping[str, Watermark],
        position: Mapping[int, int],
    ) -> None:
        """Note a batch whose readings are in the store, and wake whoever waits for them.

        Parameters
        ----------
        tally
            How many of its records became what, by name.
        watermarks
            Those after it, of the sensors that it has readings of.
        position
            Where it ends by partition. Noted with its counts, so that no record counts twice.
        """
        with self.changed:
            self._connection.execute("BEGIN")
            # A replay may come to other names: a clock decides what lies in the future.
            self._connection.execute(
                "UPDATE tally SET n = 0 WHERE checkpoint = ? AND batch = ?", (batch.checkpoint, batch.number)
            )
            self._count(batch, tally)
            named = {"checkpoint": batch.checkpoint, "batch": batch.number}
            marks = [{**named, "sensor": sensor, **mark._asdict()} for sensor, mark in watermarks.items()]
            self._connection.executemany(_FOLLOW, marks)
            self._connection.executemany(_PROGRESS, list(newest_of(watermarks).items()))
            self._advance(batch.checkpoint, position)
            self._connection.execute("COMMIT")
            self._progress = self._read_progress()
            self.changed.notify_all()

    def _advance(self, checkpoint: str, position: Mapping[int, int]) -> None:
        self._connection.executemany(_ADVANCE, [(checkpoint, *one) for one in position.items()])

    def _count(self, batch: Batch, tally: Mapping[str, int]) -> None:
        named = {"checkpoint": batch.checkpoint, "batch": batch.number}
        self._connection.executemany(_COUNT, [{**named, "name": name, "n": n} for name, n in tally.items()])

    def mark_silent(self, sensors: Iterable[str]) -> None:
        """Note sensors that a plan waited for in vain; their next reading clears the mark."""
        with self.changed:
            self._connection.executemany(
                "INSERT INTO progress VALUES (?, NULL, 1) ON CONFLICT (sensor_id) DO UPDATE SET silent = 1",
                [(sensor,) for sensor in sensors],
            )
            self._progress = self._read_progress()

    def totals(self) -> dict[str, int]:
        """Return how many records became what since the folder was made, by name."""
        with self.changed:
            rows = self._connection.execute("SELECT name, sum(n_before + n) FROM tally GROUP BY name").fetchall()
        return {name: int(n) for name, n in rows}

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
            newest={sensor: EPOCH + us * MICROSECOND for sensor, us, _ in rows if us is not None},
            silent=frozenset(sensor for sensor, _, silent in rows if silent),
        )
