"""Parquet files that arrive in a folder; one is read when its footer, which is written last, is there."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from producer.conversion import Columns, Rows
from producer.errors import ProducerError
from producer.sources.growing import Complain, Opened, Place, Unreadable, seal
from producer.spool import Message
from producer.tolerant import to_messages

N_ROWS_AT_ONCE = 10_000
MAGIC = b"PAR1"
# Magic, length of the footer, magic: less is no file.
N_BYTES_LEAST = 12


@dataclass(frozen=True)
class ArrivingParquet:
    """Reads whole files, batch by batch; one that was written anew is another file."""

    columns: Columns
    name: str = "parquet-folder"

    def goes_on(self, place: Place, opened: Opened) -> bool:
        """Say whether a file is the one of which rows were read."""
        return opened.n_bytes == place.end and place.is_sealed_in(opened.file)

    def stretches(
        self, place: Place | None, opened: Opened, complain: Complain
    ) -> Iterator[tuple[list[Message], Place]]:
        """Read on to the last row; nothing while the file is still being written.

        Raises
        ------
        Unreadable
            It has a footer and is no Parquet all the same, or lacks a column.
        """
        if not _is_complete(opened):
            return
        n_rows, n_taken = 0, place.n_rows if place else 0
        sealed = seal(opened.file, opened.n_bytes)
        try:
            file = pq.ParquetFile(opened.file)
            names = file.schema_arrow.names
            if file.metadata.num_rows == 0:
                yield [], Place(str(opened.path), opened.n_bytes, sealed, 0)
            wanted = [self.columns.sensor, self.columns.time, *self.columns.of_fields(str(opened.path), names).values()]
            for batch in file.iter_batches(N_ROWS_AT_ONCE, columns=list(dict.fromkeys(wanted))):
                first, n_rows = n_rows, n_rows + batch.num_rows
                if n_rows <= n_taken:
                    continue
                rows = _rows(opened, batch.slice(max(0, n_taken - first)), max(first, n_taken))
                yield to_messages(rows, self.columns, complain), Place(str(opened.path), opened.n_bytes, sealed, n_rows)
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"{opened.path}: can't be read as Parquet ({str(error).splitlines()[0]})") from error
        except ProducerError as error:
            raise Unreadable(str(error)) from error


def _rows(opened: Opened, batch: pa.RecordBatch, n_before: int) -> Rows:
    return Rows(str(opened.path), pa.Table.from_batches([batch]), lambda row: f"row {n_before + row + 1}")


def _is_complete(opened: Opened) -> bool:
    if opened.n_bytes < N_BYTES_LEAST:
        return False
    opened.file.seek(opened.n_bytes - len(MAGIC))
    return opened.file.read(len(MAGIC)) == MAGIC
