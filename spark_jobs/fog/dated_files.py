"""Rows as Parquet files by UTC date, each batch under its own name, and few files whatever the number of batches."""

import contextlib
import datetime as dt
import os
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fogline.messages.plan import EventTimeSpan

MERGED = "merged.parquet"
DAY = dt.timedelta(days=1)
# A live stream makes a batch a second, and a date is open for days.
N_FILES = 100


class DatedFiles:
    """Rows with an ``event_time`` (UTC).

    A batch writes one file per date, under its own name, so that a replay overwrites what it wrote before. Files appear
    by renaming: a reader sees a whole file or none. A date that gets no more rows, or has many files, is merged to one.

    Parameters
    ----------
    folder
        Holds one folder ``date=YYYY-MM-DD`` per date.
    schema
        The columns; one that an older file lacks is null there.
    lateness
        A date is closed when the newest reading is later than its end by this much.
    distinct
        Takes out what is there twice, as after a crash while a date was merged.
    """

    def __init__(
        self, folder: Path, schema: pa.Schema, lateness: dt.timedelta, distinct: Callable[[pa.Table], pa.Table]
    ) -> None:
        self._folder, self._schema, self._lateness, self._distinct = folder, schema, lateness, distinct
        # Merging replaces files; a reader must not see a date half replaced.
        self._merging = threading.Lock()
        self._nothing = schema.empty_table()
        self._texts = [field.name for field in schema if pa.types.is_string(field.type)]
        folder.mkdir(parents=True, exist_ok=True)
        self._open = {date: n_files for date in self.dates() if (n_files := len(self._files(date))) > 1}

    def recover(self, series: str, last: int) -> None:
        """Remove what a killed process left behind; only who alone writes here may ask for it.

        Parameters
        ----------
        series, last
            Batches are named ``<series>-<number>``; those after the last one are taken anew, maybe by other bounds.
        """
        for leftover in self._folder.glob("*/.*.part"):
            leftover.unlink()
        for path in self._folder.glob(f"*/{series}-*.parquet"):
            if int(path.stem.removeprefix(f"{series}-")) > last:
                path.unlink()

    def write(self, name: str, rows: pa.Table) -> None:
        """Write a batch's rows under ``name``, which must be the same when the batch is replayed."""
        days = times_of(rows).astype("datetime64[D]")
        if (days[1:] < days[:-1]).any():
            order = np.argsort(days, kind="stable")
            rows, days = rows.take(order), days[order]
        found, starts = np.unique(days, return_index=True)
        for day, start, end in zip(found, starts, [*starts[1:], len(days)], strict=False):
            date = day.item()
            self._write(date, f"{name}.parquet", rows.slice(start, end - start))
            self._open[date] = self._open.get(date, 0) + 1

    def tidy(self, newest: dt.datetime) -> list[dt.date]:
        """Merge the dates that ended more than the lateness before ``newest``, and those of many files; return them."""
        last = (newest - self._lateness - DAY).date()
        merged = sorted(date for date, n_files in self._open.items() if date <= last or n_files > N_FILES)
        for date in merged:
            self._merge(date)
            del self._open[date]
        return merged

    def read(self, spans: Iterable[EventTimeSpan]) -> pa.Table:
        """Return the rows in any of the spans, once each."""
        wanted = list(spans)
        dates = sorted({date for span in wanted for date in _dates_of(span)})
        table = self.read_dates(dates)
        inside = np.zeros(table.num_rows, bool)
        times = times_of(table)
        for span in wanted:
            inside |= (times >= _datetime64(span.start)) & (times < _datetime64(span.end))
        return self._distinct(table.filter(pa.array(inside)))

    def read_dates(self, dates: Iterable[dt.date]) -> pa.Table:
        """Return all rows of some dates as they lie there."""
        with self._merging:
            parts = [self._read_file(path) for date in dates for path in self._files(date)]
        return pa.concat_tables([self._schema.empty_table(), *parts]).combine_chunks() if parts else self._nothing

    def dates(self) -> list[dt.date]:
        """Return the dates that hold rows."""
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
        merged = self._distinct(pa.concat_tables([self._read_file(path) for path in files]))
        with self._merging:
            self._write(date, MERGED, merged)
            # A crash from here on leaves rows twice, which a read counts once.
            for path in files:
                if path.name != MERGED:
                    path.unlink()

    def _write(self, date: dt.date, name: str, rows: pa.Table) -> None:
        # Many small files are written while a fog catches up: as text a path costs a tenth of what pathlib takes.
        folder = f"{self._folder}/date={date.isoformat()}"
        temporary = f"{folder}/.{uuid.uuid4().hex}.part"
        try:
            sink = pa.OSFile(temporary, "wb")
        except FileNotFoundError:
            Path(folder).mkdir()
            sink = pa.OSFile(temporary, "wb")
        with sink:
            # Measured numbers hardly repeat, and a date's file is always read whole.
            pq.write_table(rows, sink, use_dictionary=self._texts, write_statistics=False)  # type: ignore[arg-type]
        Path(temporary).replace(f"{folder}/{name}")

    def _read_file(self, path: Path) -> pa.Table:
        table = pq.ParquetFile(path).read(use_threads=False)
        if table.schema.equals(self._schema):
            return table
        for field in self._schema:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        return table.select(self._schema.names).cast(self._schema)

    def _files(self, date: dt.date) -> list[Path]:
        folder = f"{self._folder}/date={date.isoformat()}"
        try:
            names = [entry.name for entry in os.scandir(folder)]
        except FileNotFoundError:
            return []
        return [Path(folder, name) for name in sorted(names) if name.endswith(".parquet") and not name.startswith(".")]


def first_of_each(rows: pa.Table, key: Iterable[str], order: Iterable[str]) -> pa.Table:
    """Order rows by ``key`` and ``order``, and keep the first of each key."""
    names = list(key)
    ordered = rows.sort_by([(name, "ascending") for name in (*names, *order)]).combine_chunks()
    n = ordered.num_rows
    if n < 2:
        return ordered
    same = np.ones(n - 1, bool)
    for name in names:
        same &= pc.equal(ordered[name].slice(1), ordered[name].slice(0, n - 1)).to_numpy()
    first = np.concatenate([[True], ~same])
    return ordered if first.all() else ordered.filter(pa.array(first))


def times_of(rows: pa.Table) -> npt.NDArray[np.datetime64]:
    """Return the event times in UTC, shape ``(n,)``, datetime64[us]."""
    times: npt.NDArray[np.datetime64] = rows["event_time"].cast(pa.timestamp("us")).to_numpy()
    return times


def within(rows: pa.Table, span: EventTimeSpan) -> pa.Table:
    """Return the rows whose event time lies in a span."""
    times = rows["event_time"]
    start, end = (pa.scalar(at, times.type) for at in (span.start, span.end))
    return rows.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))


def _datetime64(time: dt.datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(dt.UTC).replace(tzinfo=None), "us")


def _dates_of(span: EventTimeSpan) -> list[dt.date]:
    first, last = span.start.date(), (span.end - dt.timedelta(microseconds=1)).date()
    return [first + i * DAY for i in range((last - first).days + 1)]
