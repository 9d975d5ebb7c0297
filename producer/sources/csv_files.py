"""Replay of a user's CSV files."""

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from producer.conversion import Columns, Rows, to_readings
from producer.errors import ProducerError
from producer.readings import Source, Span, merged, replay

if TYPE_CHECKING:
    import _csv

N_ROWS_AT_ONCE = 50_000

Numbered = tuple[int, list[str]]


def csv_files(paths: Sequence[Path], columns: Columns, delimiter: str) -> Source:
    """Make a source of all files' readings, merged in the order of event time; they are held in memory.

    Each file has its column names in its first line.

    Raises
    ------
    ProducerError
        When read: a file is no CSV, lacks a column, or holds a value that is none.
    """

    def batches(span: Span) -> Iterator[pa.RecordBatch]:
        tables = [_readings(path, columns, delimiter) for path in paths]
        yield from replay(merged(tables), span)

    arguments = {"paths": [str(path.resolve()) for path in paths], "delimiter": delimiter, **columns.described()}
    return Source("csv", arguments, batches)


def _readings(path: Path, columns: Columns, delimiter: str) -> pa.Table:
    tables = list(_tables(path, columns, delimiter))
    if not tables:
        raise ProducerError(f"{path}: it holds no readings, only its first line; give a file with rows")
    return pa.concat_tables(tables)


def _tables(path: Path, columns: Columns, delimiter: str) -> Iterator[pa.Table]:
    # Not Arrow's reader: it doesn't know the line that a row came from.
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(reader, [])]
            columns.of_fields(str(path), header)
            rows = _rows(path, reader, len(header))
            while chunk := list(islice(rows, N_ROWS_AT_ONCE)):
                yield _converted(path, header, chunk, columns)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise ProducerError(f"{path}: can't be read as CSV in UTF-8 ({error})") from error


def _rows(path: Path, reader: "_csv.Reader", n_columns: int) -> Iterator[Numbered]:
    for row in reader:
        if not row:
            continue
        if len(row) != n_columns:
            raise ProducerError(
                f"{path}, line {reader.line_num}: {len(row)} columns where the first line names {n_columns}; "
                "complete the line, or give the right --delimiter"
            )
        yield reader.line_num, row


def _converted(path: Path, header: Sequence[str], chunk: Sequence[Numbered], columns: Columns) -> pa.Table:
    cells = zip(*(row for _, row in chunk), strict=True)
    table = pa.table([pa.array(column, pa.string()) for column in cells], names=list(header))
    return to_readings(Rows(str(path), table, lambda row: f"line {chunk[row][0]}"), columns)
