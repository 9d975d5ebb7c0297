"""A fog's readings as Parquet files by UTC date, read by pyarrow alone."""

import contextlib
import datetime as dt
import threading
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fogline.features import reading_schema
from fogline.federation.settings import FieldRule
from fogline.messages.plan import EventTimeSpan
from spark_jobs.fog.readings import store_schema

MERGED = "merged.parquet"
DAY = dt.timedelta(days=1)


class ReadingStore:
    """The readings of one fog.

    A batch writes one file per date, under its own name, so that a replay overwrites what it wrote before. Files appear
    by renaming: a reader sees a whole file or none. A date that can get no more readings is merged to one file.

    Parameters
    ----------
    folder
        Holds one folder ``date=YYYY-MM-DD`` per date.
    fields
        The declared fields.
    lateness
        A date is closed when the newest reading is later than its end by this much.
    """

    def __init__(self, folder: Path, fields: Mapping[str, FieldRule], lateness: dt.timedelta) -> None:
        self._folder, self._lateness = folder, lateness
        self._schema = store_schema(fields)
        self._columns = reading_schema(list(fields))
        # Merging replaces files; a reader must not see a date half replaced.
        self._merging = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*/.*.part"):
            leftover.unlink()
        self._open = {date for date in self.dates() if len(self._files(date)) > 1}

    def write(self, name: str, readings: pa.Table) -> None:
        """Write a batch's readings under ``name``, which must be the same when the batch is replayed."""
        days = _utc_days(readings)
        for day in np.unique(days):
            date = day.item()
            self._write(date, f"{name}.parquet", readings.filter(pa.array(days == day)))
            self._open.add(date)

    def close_dates(self, newest: dt.datetime) -> list[dt.date]:
        """Merge the dates that ended more than the lateness before ``newest``; return them."""
        last = (newest - self._lateness - DAY).date()
        closed = sorted(date for date in self._open if date <= last)
        for date in closed:
            self._merge(date)
            self._open.discard(date)
        return closed

    def read(self, spans: Iterable[EventTimeSpan]) -> pa.Table:
        """Return the readings in any of the spans, once each, ordered by sensor and event time.

        Returns
        -------
        pyarrow.Table
            Columns as `fogline.features.reading_schema`. Of readings of one sensor and event time the one with the
            lowest Kafka partition and offset counts.
        """
        wanted = list(spans)
        dates = sorted({date for span in wanted for date in _dates_of(span)})
        with self._merging:
            parts = [self._read_file(path) for date in dates for path in self._files(date)]
        table = pa.concat_tables([self._schema.empty_table(), *parts]).combine_chunks()
        inside = np.zeros(table.num_rows, bool)
        times = _times(table)
        for span in wanted:
            inside |= (times >= _datetime64(span.start)) & (times < _datetime64(span.end))
        return distinct(table.filter(pa.array(inside))).select(self._columns.names).cast(self._columns)

    def dates(self) -> list[dt.date]:
        """Return the dates that hold readings."""
        return sorted(dt.date.fromisoformat(path.name.removeprefix("date=")) for path in self._folder.glob("date=*"))

    def size(self) -> tuple[int, int]:
        """Return how many files there are, and how many bytes."""
        sizes = []
        for path in self._folder.glob("date=*/*.parquet"):
            # Merging may take a file away meanwhile.
            with contextlib.suppress(FileNotFoundError):
                sizes.append(path.stat().st_size)
        return len(sizes), sum(sizes)

    def _merge(self, date: dt.date) -> None:
        files = self._files(date)
        if len(files) < 2:
            return
        merged = distinct(pa.concat_tables([self._read_file(path) for path in files]))
        with self._merging:
            self._write(date, MERGED, merged)
            # A crash from here on leaves readings twice, which a read counts once.
            for path in files:
                if path.name != MERGED:
                    path.unlink()

    def _write(self, date: dt.date, name: str, readings: pa.Table) -> None:
        folder = self._date_folder(date)
        folder.mkdir(exist_ok=True)
        temporary = folder / f".{uuid.uuid4().hex}.part"
        # Measured numbers hardly repeat, and a date's file is always read whole.
        by_value = ["sensor_id"]
        pq.write_table(readings, temporary, use_dictionary=by_value, write_statistics=False)  # type: ignore[arg-type]
        temporary.replace(folder / name)

    def _read_file(self, path: Path) -> pa.Table:
        table = pq.ParquetFile(path).read(use_threads=False)
        if table.schema.equals(self._schema):
            return table
        # A field that was declared later is missing in the readings from before.
        for field in self._schema:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        return table.select(self._schema.names).cast(self._schema)

    def _files(self, date: dt.date) -> list[Path]:
        return sorted(path for path in self._date_folder(date).glob("*.parquet") if not path.name.startswith("."))

    def _date_folder(self, date: dt.date) -> Path:
        return self._folder / f"date={date.isoformat()}"


def distinct(readings: pa.Table) -> pa.Table:
    """Order readings by sensor and event time and keep the first on Kafka of each pair."""
    order = ("sensor_id", "event_time", "kafka_partition", "kafka_offset")
    ordered = readings.sort_by([(name, "ascending") for name in order]).combine_chunks()
    n = ordered.num_rows
    if n < 2:
        return ordered
    same = [pc.equal(ordered[name].slice(1), ordered[name].slice(0, n - 1)) for name in order[:2]]
    first = np.concatenate([[True], ~pc.and_(*same).to_numpy()])
    return ordered if first.all() else ordered.filter(pa.array(first))


def _times(readings: pa.Table) -> npt.NDArray[np.datetime64]:
    times: npt.NDArray[np.datetime64] = readings["event_time"].cast(pa.timestamp("us")).to_numpy()
    return times


def _utc_days(readings: pa.Table) -> npt.NDArray[np.datetime64]:
    return _times(readings).astype("datetime64[D]")


def _datetime64(time: dt.datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(dt.UTC).replace(tzinfo=None), "us")


def _dates_of(span: EventTimeSpan) -> list[dt.date]:
    first, last = span.start.date(), (span.end - dt.timedelta(microseconds=1)).date()
    return [first + i * DAY for i in range((last - first).days + 1)]
