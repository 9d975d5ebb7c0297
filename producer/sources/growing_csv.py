"""CSV files to which lines are appended; a line is a row."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from producer.conversion import Columns, Rows
from producer.errors import ProducerError
from producer.sources.growing import Complain, Opened, Place, Unreadable, seal
from producer.spool import Message
from producer.tolerant import to_messages

N_BYTES_AT_ONCE = 2**20
N_BYTES_IN_LINE = 16 * 2**20

Cells = list[str]


@dataclass(frozen=True)
class GrowingCsv:
    """Reads whole lines: what is behind the last line's end is still being written."""

    columns: Columns
    delimiter: str
    name: str = "csv-folder"

    def goes_on(self, place: Place, opened: Opened) -> bool:
        """Say whether a file is the one that was read up to a place, and perhaps longer now."""
        return opened.n_bytes >= place.end and place.is_sealed_in(opened.file)

    def stretches(
        self, place: Place | None, opened: Opened, complain: Complain
    ) -> Iterator[tuple[list[Message], Place]]:
        """Read on to the last line's end.

        Raises
        ------
        Unreadable
            The first line lacks a column, or a line has no end.
        """
        first = _lines(opened, 0, opened.n_bytes, at_most=1)
        if not first:
            return
        header = self._header(opened, first[0])
        if place is None:
            end = len(first[0])
            place = Place(str(opened.path), end, seal(opened.file, end), 0)
            yield [], place
        end, n_rows = place.end, place.n_rows
        while lines := _lines(opened, end, opened.n_bytes):
            messages = self._messages(opened, header, lines, n_rows + 2, complain)
            end, n_rows = end + sum(map(len, lines)), n_rows + len(lines)
            yield messages, Place(str(opened.path), end, seal(opened.file, end), n_rows)

    def _header(self, opened: Opened, line: bytes) -> Cells:
        try:
            header = [name.strip() for name in next(csv.reader([line.decode("utf-8-sig")], delimiter=self.delimiter))]
            self.columns.of_fields(str(opened.path), header)
        except (csv.Error, UnicodeDecodeError, StopIteration) as error:
            raise Unreadable(f"{opened.path}: its first line can't be read as CSV in UTF-8 ({error})") from error
        except ProducerError as error:
            raise Unreadable(str(error)) from error
        if twice := next((name for name in header if header.count(name) > 1), None):
            raise Unreadable(
                f"{opened.path}: its first line names {twice!r} twice; each column needs a name of its own"
            )
        return header

    def _messages(
        self, opened: Opened, header: Cells, lines: Sequence[bytes], first_number: int, complain: Complain
    ) -> list[Message]:
        """Return the lines' records; a line whose cells can't be told is a record of itself."""
        messages: list[Message] = []
        rows: list[tuple[int, Cells]] = []

        def converted() -> list[Message]:
            if not rows:
                return []
            cells = zip(*(row for _, row in rows), strict=True)
            table = pa.table([pa.array(column, pa.string()) for column in cells], names=header)
            taken = list(rows)
            rows.clear()
            return to_messages(
                Rows(str(opened.path), table, lambda row: f"line {taken[row][0]}"), self.columns, complain
            )

        for number, (line, row) in enumerate(zip(lines, self._cells(lines), strict=True), first_number):
            if row is not None and len(row) == len(header):
                rows.append((number, row))
            elif row != []:
                messages += converted()
                n_cells = "no cells" if row is None else f"{len(row)} cells"
                complain(f"{opened.path}, line {number}: {n_cells} in UTF-8 where the first line names {len(header)}")
                messages.append((None, line.rstrip(b"\r\n")))
        return [*messages, *converted()]

    def _cells(self, lines: Sequence[bytes]) -> list[Cells | None]:
        """Return each line's cells, none of an empty one, and None where the line is no CSV in UTF-8."""
        try:
            reader = csv.reader([line.decode() for line in lines], delimiter=self.delimiter, strict=True)
            cells: list[Cells | None] = list(reader)
        except (csv.Error, UnicodeDecodeError):
            cells = []
        # Fewer rows than lines: a quotation mark that is open at a line's end.
        return cells if len(cells) == len(lines) else [self._cells_of_line(line) for line in lines]

    def _cells_of_line(self, line: bytes) -> Cells | None:
        try:
            return next(csv.reader([line.decode()], delimiter=self.delimiter, strict=True), [])
        except (csv.Error, UnicodeDecodeError):
            return None


def _lines(opened: Opened, start: int, end: int, at_most: int = -1) -> list[bytes]:
    """Return whole lines from a place on, with their ends; none if there is no whole one yet."""
    n_bytes = N_BYTES_AT_ONCE
    while True:
        opened.file.seek(start)
        data = opened.file.read(min(n_bytes, end - start))
        cut = data.rfind(b"\n") + 1
        if cut:
            return [line + b"\n" for line in data[: cut - 1].split(b"\n", at_most)][: at_most if at_most > 0 else None]
        if len(data) >= N_BYTES_IN_LINE:
            raise Unreadable(f"{opened.path}, byte {start}: a line of more than {N_BYTES_IN_LINE} bytes; is it CSV?")
        if len(data) >= end - start:
            return []
        n_bytes *= 2
