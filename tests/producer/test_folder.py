"""Folders that keep growing: what is read, when, and from where on after a restart, a rotation or a replacement."""

import json
import logging
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from producer.conversion import Columns
from producer.errors import ProducerError
from producer.live import Intake
from producer.metrics import ProducerMetrics
from producer.sources import arriving_parquet, growing_csv
from producer.sources.arriving_parquet import ArrivingParquet
from producer.sources.folder import FolderSource
from producer.sources.growing import Kind
from producer.sources.growing_csv import GrowingCsv
from producer.spool import Spool

MAPPED = Columns("turbine", "when", {"power": "P"})
HEADER = "turbine,when,P\n"


def row(number: int) -> str:
    return f"t1,2024-01-01T00:00:{number:02}Z,{number}\n"


class Reader:
    """A producer of a folder that can be started again; its spool stays."""

    def __init__(self, folder: Path, state: Path, kind: Kind, pattern: str) -> None:
        self.folder, self._state, self._kind, self._pattern = folder, state, kind, pattern
        self._n_seen = 0
        self._spool: Spool | None = None
        self.start()

    def start(self) -> None:
        if self._spool:
            self._spool.close()
        self._spool = Spool(self._state / "spool", 2**20)
        self.metrics = ProducerMetrics(math.inf)
        self._source = FolderSource(self.folder, self._pattern, 1, self._kind)
        self._source.begin(Intake(self._spool, False, self.metrics), Event())

    def look(self) -> list[bytes]:
        """Look at the folder and return what was new."""
        assert self._spool
        self._source.look()
        messages = self._spool.first(100_000, 2**30)
        new, self._n_seen = messages[self._n_seen :], len(messages)
        self.keys = [message.key for message in new]
        return [message.value for message in new]

    def powers(self) -> list[float]:
        """Return the power of each new reading."""
        return [json.loads(value)["power"] for value in self.look()]

    def close(self) -> None:
        assert self._spool
        self._spool.close()


MakeReader = Callable[..., Reader]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[MakeReader]:
    made: list[Reader] = []

    def make(kind: Kind | None = None, pattern: str = "*") -> Reader:
        folder = tmp_path / "readings"
        folder.mkdir()
        made.append(Reader(folder, tmp_path / "state", kind or GrowingCsv(MAPPED, ","), pattern))
        return made[-1]

    yield make
    for one in made:
        one.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_new_files_and_new_lines_are_read_once_each_when_they_are_whole(reader: MakeReader) -> None:
    csv = reader(pattern="*.csv")
    one, two = csv.folder / "one.csv", csv.folder / "two.csv"
    append(one, "turbine,wh")
    assert csv.look() == []
    append(one, "en,P\n" + row(1) + row(2)[:9])
    append(csv.folder / "other.txt", HEADER + row(9))
    assert csv.look() == [b'{"sensor_id":"t1","event_time":"2024-01-01T00:00:01Z","power":1}']
    assert csv.keys == [b"t1"]
    append(two, HEADER + row(3))
    assert csv.powers() == [3]
    append(one, row(2)[9:] + "\n" + row(4).replace("\n", "\r\n"))
    assert csv.powers() == [2, 4]
    assert csv.look() == []


def test_a_restart_goes_on_where_each_file_was_left(reader: MakeReader) -> None:
    csv = reader()
    append(csv.folder / "one.csv", HEADER + row(1))
    append(csv.folder / "two.csv", HEADER)
    assert csv.powers() == [1]
    append(csv.folder / "one.csv", row(2))
    append(csv.folder / "two.csv", row(3))
    csv.start()
    assert sorted(csv.powers()) == [2, 3]
    csv.start()
    assert csv.look() == []


def test_a_renamed_file_goes_on_and_the_new_one_under_its_name_begins(
    reader: MakeReader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    csv = reader()
    path = csv.folder / "now.csv"
    append(path, HEADER + row(1))
    assert csv.powers() == [1]
    append(path, row(2))
    path.rename(csv.folder / "now.csv.1")
    append(path, HEADER + row(3))
    assert csv.powers() == [2, 3]
    assert f"{path}.1 is {path} under another name" in caplog.text


def test_a_copy_before_truncation_is_known_again(reader: MakeReader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    csv = reader()
    path, copy = csv.folder / "now.csv", csv.folder / "now.csv.1"
    append(path, HEADER + row(1) + row(2))
    assert csv.powers() == [1, 2]
    append(path, row(3))
    copy.write_bytes(path.read_bytes())
    path.write_text(HEADER + row(4))
    assert sorted(csv.powers()) == [3, 4]
    assert f"{copy} was read as {path} before, as far as row 2" in caplog.text
    csv.start()
    assert csv.look() == []


@pytest.mark.parametrize("text", [HEADER + row(5), HEADER + row(5) + row(6) + row(7)])
def test_a_file_written_anew_is_read_from_its_start(
    reader: MakeReader, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    csv = reader()
    path = csv.folder / "now.csv"
    append(path, HEADER + row(1) + row(2))
    assert csv.powers() == [1, 2]
    path.write_text(text)
    assert len(csv.powers()) == text.count("t1")
    assert f"{path} was cut short or replaced; it is read from its start" in caplog.text


def test_a_file_moved_to_another_disk_goes_on_there(reader: MakeReader) -> None:
    csv = reader()
    path = csv.folder / "now.csv"
    append(path, HEADER + row(1))
    assert csv.powers() == [1]
    moved = csv.folder / "copy"
    moved.write_text(path.read_text() + row(2))
    moved.replace(path)
    assert csv.powers() == [2]


def test_two_files_that_begin_alike_are_two(reader: MakeReader) -> None:
    csv = reader()
    append(csv.folder / "a.csv", HEADER + row(1))
    append(csv.folder / "b.csv", HEADER + row(1) + row(2))
    assert sorted(csv.powers()) == [1, 1, 2]


BAD = [
    (
        "t1,2024-01-01T00:00:01Z,1 kW\n",
        b"t1",
        b'{"sensor_id": "t1", "event_time": "2024-01-01T00:00:01+00:00", "power": "1 kW"}',
    ),
    ("t1,yesterday,1\n", b"t1", b'{"sensor_id": "t1", "event_time": "yesterday", "power": 1.0}'),
    (" ,2024-01-01T00:00:01Z,\n", None, b'{"sensor_id": " ", "event_time": "2024-01-01T00:00:01+00:00"}'),
    ("t1,2024-01-01T00:00:01Z\n", None, b"t1,2024-01-01T00:00:01Z"),
    ('t1,2024-01-01T00:00:01Z,"1\n', None, b't1,2024-01-01T00:00:01Z,"1'),
    ("t1,2024-01-01T00:00:01Z,1,2,3\r\n", None, b"t1,2024-01-01T00:00:01Z,1,2,3"),
]


@pytest.mark.parametrize(("line", "key", "value"), BAD)
def test_a_bad_row_is_sent_as_it_is_and_stops_nothing(
    reader: MakeReader, line: str, key: bytes | None, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    csv = reader()
    path = csv.folder / "now.csv"
    append(path, HEADER + row(1) + line + row(2) + line + row(3))
    values = csv.look()
    assert values[1] == values[3] == value
    assert csv.keys == [b"t1", key, b"t1", key, b"t1"]
    assert [json.loads(values[n])["power"] for n in (0, 2, 4)] == [1, 2, 3]
    assert f"{path}, line 3" in caplog.text and len(caplog.records) == 1


def test_bytes_that_are_no_utf8_are_sent_as_they_are(reader: MakeReader) -> None:
    csv = reader()
    (csv.folder / "now.csv").write_bytes(HEADER.encode() + b"caf\xe9,2024-01-01T00:00:01Z,1\n" + row(2).encode())
    assert csv.look()[0] == b"caf\xe9,2024-01-01T00:00:01Z,1"
    assert csv.keys == [None, b"t1"]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            "turbine,time,P\n",
            "there is no column 'when', only 'turbine', 'time', 'P'; name the right one with --time-column",
        ),
        ("turbine,when,P,P\n", "its first line names 'P' twice"),
        ("\xff\xfe\n", "its first line can't be read as CSV in UTF-8"),
    ],
)
def test_a_file_with_another_header_is_left_out_and_said_until_it_is_right(
    reader: MakeReader, header: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    csv = reader()
    path = csv.folder / "bad.csv"
    path.write_bytes(header.encode("latin-1") + row(1).encode())
    append(csv.folder / "good.csv", HEADER + row(2))
    assert csv.powers() == [2]
    assert csv.look() == []
    assert caplog.text.count(f"{path}: {says}") == 1
    assert csv.metrics.registry.get_sample_value("fogline_producer_unreadable_files") == 1
    path.write_text(HEADER + row(1))
    assert csv.powers() == [1]
    assert csv.metrics.registry.get_sample_value("fogline_producer_unreadable_files") == 0


def test_a_long_file_is_read_in_stretches_and_a_full_spool_ends_none_of_it(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_csv, "N_BYTES_AT_ONCE", 100)
    monkeypatch.setattr(growing_csv, "N_BYTES_IN_LINE", 1000)
    csv = reader()
    path = csv.folder / "now.csv"
    append(path, HEADER + "".join(row(n) for n in range(60)) + "t1," + "x" * 300 + ",1\n" + row(1))
    values = csv.look()
    assert len(values) == 62 and b'"event_time": "xxx' in values[60]
    append(path, "x" * 2000)
    assert csv.look() == []
    assert csv.metrics.registry.get_sample_value("fogline_producer_unreadable_files") == 1


def test_what_is_not_finished_and_what_is_gone_is_said(reader: MakeReader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    csv = reader(pattern="*.csv")
    path = csv.folder / "now.csv"
    append(path, HEADER + row(1) + "t1,2024")
    for _ in range(3):
        csv.look()
    assert caplog.text.count(f"{path}: its last 7 bytes are not read before they are finished") == 1
    path.unlink()
    csv.look()
    assert f"{path} is gone; it was read up to byte {len(HEADER + row(1))}" in caplog.text


def test_a_file_rotated_out_of_the_pattern_is_read_to_its_end(reader: MakeReader) -> None:
    csv = reader(pattern="*.csv")
    path, rotated = csv.folder / "now.csv", csv.folder / "now.1"
    append(path, HEADER + row(1))
    assert csv.powers() == [1]
    append(path, row(2))
    path.rename(rotated)
    append(path, HEADER + row(3))
    append(csv.folder / "now.2", HEADER + row(9))
    assert csv.powers() == [2, 3]
    append(rotated, row(4))
    csv.start()
    assert csv.powers() == [4]
    # Another file that got its number.
    rotated.write_text(HEADER + row(5) * 10)
    assert csv.look() == []


def table(*powers: float) -> pa.Table:
    times = pa.array([1_700_000_000 + n for n in range(len(powers))], pa.timestamp("s", tz="UTC"))
    return pa.table({"turbine": ["t1"] * len(powers), "when": times, "P": list(powers)})


def test_a_parquet_file_is_read_when_its_footer_is_there(
    reader: MakeReader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parquet = reader(ArrivingParquet(MAPPED))
    pq.write_table(table(1, 2), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    path = parquet.folder / "a.parquet"
    for n_bytes in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        assert parquet.look() == []
    assert caplog.text == ""
    path.write_bytes(whole)
    assert parquet.powers() == [1, 2]
    parquet.start()
    assert parquet.look() == []
    path.rename(parquet.folder / "b.parquet")
    assert parquet.look() == []
    pq.write_table(table(3), path)
    assert parquet.powers() == [3]


@pytest.mark.parametrize("n_puts", range(4))
def test_a_parquet_file_is_gone_on_with_at_its_row(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch, n_puts: int
) -> None:
    monkeypatch.setattr(arriving_parquet, "N_ROWS_AT_ONCE", 3)
    parquet = reader(ArrivingParquet(MAPPED))
    pq.write_table(table(*range(10)), parquet.folder / "a.parquet")
    put, n_put = Intake.put, 0

    def killed(self: Intake, *arguments: object) -> bool:
        nonlocal n_put
        n_put += 1
        if n_put > n_puts:
            raise KeyboardInterrupt
        return put(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Intake, "put", killed)
        parquet.look()
    parquet.start()
    assert parquet.powers() == list(range(10))


def test_a_bad_value_of_parquet_is_sent_as_text(reader: MakeReader) -> None:
    parquet = reader(ArrivingParquet(MAPPED))
    pq.write_table(table(1, math.inf, 3), parquet.folder / "a.parquet")
    values = parquet.look()
    assert json.loads(values[1]) == {"sensor_id": "t1", "event_time": "2023-11-14T22:13:21+00:00", "power": "inf"}
    assert parquet.keys == [b"t1"] * 3


@pytest.mark.parametrize("broken", [b"PAR1" + bytes(100) + b"PAR1", b""])
def test_what_is_no_parquet_or_lacks_a_column_is_left_out(
    reader: MakeReader, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    parquet = reader(ArrivingParquet(MAPPED))
    path = parquet.folder / "bad.parquet"
    if broken:
        path.write_bytes(broken)
    else:
        pq.write_table(pa.table({"x": [1]}), path)
    pq.write_table(table(1), parquet.folder / "good.parquet")
    assert parquet.powers() == [1]
    assert f"{path}: {'can' if broken else 'there is no column'}" in caplog.text


def test_a_pattern_that_is_none_is_named(reader: MakeReader) -> None:
    with pytest.raises(ProducerError, match=r"^--pattern /etc/\*: .* give one as \*\.csv"):
        reader(pattern="/etc/*").look()


def test_a_file_that_may_not_be_read_is_tried_again(reader: MakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    csv = reader()
    path = csv.folder / "now.csv"
    append(path, HEADER + row(1))
    real = Path.open

    def refused(self: Path, *arguments: str) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    assert csv.look() == []
    monkeypatch.setattr(Path, "open", real)
    assert csv.powers() == [1]
    assert os.access(path, os.R_OK)
