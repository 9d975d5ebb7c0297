"""Replay of a user's Parquet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from producer.conversion import Columns, Rows, to_readings
from producer.errors import ProducerError
from producer.readings import Source, Span, merged, replay


def parquet_files(paths: Sequence[Path], columns: Columns) -> Source:
    """Make a source of all files' readings, merged in the order of event time; they are held in memory.

    Raises
    ------
    ProducerError
        When read: a file is no Parquet, lacks a column, or holds a value that is none.
    """

    def batches(span: Span) -> Iterator[pa.RecordBatch]:
        yield from replay(merged([_readings(path, columns) for path in paths]), span)

    return Source("parquet", {"paths": [str(path.resolve()) for path in paths], **columns.described()}, batches)


def _readings(path: Path, columns: Columns) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        wanted = [columns.sensor, columns.time, *columns.of_fields(str(path), names).values()]
        table = pq.read_table(path, columns=list(dict.fromkeys(wanted)))
    except (pa.ArrowException, OSError) as error:
        raise ProducerError(f"{path}: can't be read as Parquet ({str(error).splitlines()[0]})") from error
    return to_readings(Rows(str(path), table, lambda row: f"row {row + 1}"), columns)
