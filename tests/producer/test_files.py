"""Replay of a user's CSV and Parquet files."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from producer.conversion import Columns
from producer.errors import ProducerError
from producer.readings import EVENT_TIME, SENSOR, Source, Span
from producer.sources.csv_files import csv_files
from producer.sources.parquet_files import parquet_files

WHOLE = Span(None, None)
MAPPED = Columns("turbine", "when", {"power": "P"})


def readings(source: Source, span: Span = WHOLE) -> list[dict[str, object]]:
    return [reading for batch in source.batches(span) for reading in batch.to_pylist()]


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "readings.csv"
    path.write_bytes(text.encode())
    return path


def test_csv_files_are_merged_in_the_order_of_event_time(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("sensor_id,event_time,wind,power\nb,2014-01-01T01:00:00+01:00,1.5,\nb,2014-01-01T02:00:00Z,2,NA\n")
    two.write_text("event_time,power,wind,sensor_id\n2014-01-01T01:00:00Z,-3.25,nan,a\n\n2014-01-01T00:00:00Z,4,5,a\n")
    assert readings(csv_files([one, two], Columns(), ",")) == [
        {SENSOR: "a", EVENT_TIME: datetime(2014, 1, 1, 0, tzinfo=UTC), "wind": 5.0, "power": 4.0},
        {SENSOR: "b", EVENT_TIME: datetime(2014, 1, 1, 0, tzinfo=UTC), "wind": 1.5, "power": None},
        {SENSOR: "a", EVENT_TIME: datetime(2014, 1, 1, 1, tzinfo=UTC), "wind": None, "power": -3.25},
        {SENSOR: "b", EVENT_TIME: datetime(2014, 1, 1, 2, tzinfo=UTC), "wind": 2.0, "power": None},
    ]


def test_columns_are_mapped_and_local_times_taken_in_their_zone(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "\ufeffwhen;turbine;P;note\n2014-07-01 02:00:00;7;1;calm\n")
    columns = Columns("turbine", "when", {"power": "P"}, "Europe/Paris")
    [reading] = readings(csv_files([path], columns, ";"))
    assert reading == {SENSOR: "7", EVENT_TIME: datetime(2014, 7, 1, tzinfo=UTC), "power": 1.0}


HEADER = "turbine,when,P\n"
GOOD = "a,2014-01-01T00:00:00Z,1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + GOOD * 7 + "a,2014-01-01T00:00:00Z,1 kW\n" + GOOD, r"line 9, column 'P': '1 kW' .* finite number"),
        (HEADER + '"a\nb",2014-01-01T00:00:00Z,1\n' + "a,2014-01-01T00:00:00Z,inf\n", "line 4, column 'P': 'inf'"),
        (HEADER + GOOD + "a,01/02/2014,1\n", "line 3, column 'when': '01/02/2014' .* ISO 8601"),
        (HEADER + GOOD + "a,2014-01-01T00:00:00,1\n", "line 3, column 'when': '2014-01-01T00:00:00' .* give --zone"),
        (HEADER + GOOD + " ,2014-01-01T00:00:00Z,1\n", "line 3, column 'turbine': ' ' .* needs its sensor's id"),
        (HEADER + GOOD + "a,2014-01-01T00:00:00Z\n", "line 3: 2 columns where the first line names 3"),
        ("turbine,time,P\n" + GOOD, "there is no column 'when', only 'turbine', 'time', 'P'; .* --time-column"),
        ("turbine,when,Q\n" + GOOD, "there is no column 'P', only .* --field name=column"),
        (HEADER, "it holds no readings"),
        ("", "there is no column 'turbine'"),
    ],
)
def test_a_bad_csv_is_named_by_line_column_value_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    path = csv_file(tmp_path, text)
    with pytest.raises(ProducerError, match=f"^{path}[,:] {message}"):
        readings(csv_files([path], MAPPED, ","))


def test_a_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("turbine,when,P\né,2014-01-01T00:00:00Z,1\n".encode("latin-1"))
    with pytest.raises(ProducerError, match=f"{path}: can't be read as CSV in UTF-8"):
        readings(csv_files([path], MAPPED, ","))


def test_an_hour_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADER + "a,2014-10-26 02:30:00,1\n")
    columns = Columns("turbine", "when", {"power": "P"}, "Europe/Paris")
    with pytest.raises(ProducerError, match=r"line 2, column 'when': .* local time of Europe/Paris that occurs once"):
        readings(csv_files([path], columns, ","))


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ProducerError, match="--zone Europe/Pariss: there is no such time zone"):
        Columns(zone="Europe/Pariss")


def parquet_file(folder: Path, when: pa.Array, power: pa.Array) -> Path:
    path = folder / "readings.parquet"
    pq.write_table(pa.table({"turbine": pa.array(range(len(when))), "when": when, "P": power, "note": power}), path)
    return path


def test_parquet_is_read_with_its_own_types(tmp_path: Path) -> None:
    when = pa.array([datetime(2014, 1, 1, 2), datetime(2014, 1, 1, 1)], pa.timestamp("ns"))
    path = parquet_file(tmp_path, when, pa.array([1, None], pa.int32()))
    columns = Columns("turbine", "when", {"power": "P"}, "UTC")
    assert readings(parquet_files([path], columns)) == [
        {SENSOR: "1", EVENT_TIME: datetime(2014, 1, 1, 1, tzinfo=UTC), "power": None},
        {SENSOR: "0", EVENT_TIME: datetime(2014, 1, 1, 2, tzinfo=UTC), "power": 1.0},
    ]


@pytest.mark.parametrize(
    ("when", "power", "message"),
    [
        (pa.array(["2014-01-01T00:00:00Z", "soon"]), pa.array([1.0, 2.0]), "row 2, column 'when': 'soon'"),
        (pa.array(["2014-01-01T00:00:00Z"] * 2), pa.array([1.0, float("-inf")]), "row 2, column 'P': -inf"),
        (pa.array(["2014-01-01T00:00:00Z"] * 2), pa.array([True, False]), "row 1, column 'P': True"),
        (pa.array([1, 2]), pa.array([1.0, 2.0]), "row 1, column 'when': 1 can't be read; .* ISO 8601"),
    ],
)
def test_a_bad_parquet_is_named_by_row(tmp_path: Path, when: pa.Array, power: pa.Array, message: str) -> None:
    path = parquet_file(tmp_path, when, power)
    with pytest.raises(ProducerError, match=f"^{path}, {message}"):
        readings(parquet_files([path], MAPPED))


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProducerError, match="can't be read as Parquet"):
        readings(parquet_files([csv_file(tmp_path, HEADER)], MAPPED))
