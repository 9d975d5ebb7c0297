"""The store holds every reading once, whatever is replayed, merged or interrupted."""

from pathlib import Path

import pyarrow as pa
import pytest

from fogline.federation import Federation
from spark_jobs.fog.rules import store_schema
from spark_jobs.fog.store import ReadingStore
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import at, readings, span


@pytest.fixture
def own(tmp_path: Path) -> Federation:
    return made.federation(tmp_path, lateness="P1D")


@pytest.fixture
def store(own: Federation, tmp_path: Path) -> ReadingStore:
    return made.store(own, tmp_path)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "readings")) for path in folder.glob("readings/*/*"))


def test_a_span_is_half_open_and_ordered_by_sensor_and_time(own: Federation, store: ReadingStore) -> None:
    store.write("c-0", readings(own, "s3", [1.5, 0.0, 1.0], [1, 2, 3]))
    store.write("c-1", readings(own, "s1", [2.0, 1.0], [4, 5]))
    found = store.read([span(0, 2)])
    assert found["sensor_id"].to_pylist() == ["s1", "s3", "s3", "s3"]
    assert found["x"].to_pylist() == [5.0, 2.0, 3.0, 1.0]


def test_several_spans_give_the_readings_in_any_of_them(own: Federation, store: ReadingStore) -> None:
    store.write("c-0", readings(own, "s1", [0.0, 1.0, 2.0, 3.0], [0, 1, 2, 3]))
    assert store.read([span(0, 1), span(0.5, 1.5), span(3, 4)])["x"].to_pylist() == [0.0, 1.0, 3.0]
    assert store.read([]).num_rows == 0


def test_a_replayed_batch_overwrites_its_own_files(own: Federation, store: ReadingStore, tmp_path: Path) -> None:
    batch = readings(own, "s1", [0.1, 0.9, 1.1], [1, 2, 3])
    store.write("c-7", batch)
    before = files(tmp_path)
    store.write("c-7", batch)
    assert files(tmp_path) == before == ["date=2024-01-01/c-7.parquet", "date=2024-01-02/c-7.parquet"]
    assert store.read([span(0, 2)]).num_rows == 3


def test_of_one_sensors_readings_of_one_time_the_first_on_kafka_counts(own: Federation, store: ReadingStore) -> None:
    store.write("c-0", readings(own, "s1", [0.5], [1.0], offset=9))
    store.write("c-1", readings(own, "s1", [0.5, 0.5], [3.0, 4.0], offset=5))
    assert store.read([span(0, 1)])["x"].to_pylist() == [3.0]


def test_merging_keeps_the_content_and_leaves_one_file(own: Federation, store: ReadingStore, tmp_path: Path) -> None:
    for batch in range(5):
        store.write(f"c-{batch}", readings(own, "s1", [0.1 * batch, 1.5], [batch, 9], offset=10 * batch))
    before = store.read([span(0, 3)])
    assert store.tidy(at(3.0)) == [at(0).date(), at(1).date()]
    assert files(tmp_path) == ["date=2024-01-01/merged.parquet", "date=2024-01-02/merged.parquet"]
    assert store.read([span(0, 3)]).equals(before)


def test_a_date_stays_open_for_as_long_as_a_reading_may_come(own: Federation, store: ReadingStore) -> None:
    store.write("c-0", readings(own, "s1", [0.1], [1]))
    store.write("c-1", readings(own, "s1", [0.2], [2]))
    assert store.tidy(at(1.99)) == []
    assert store.tidy(at(2.0)) == [at(0).date()]


def test_a_late_reading_opens_its_date_again(own: Federation, store: ReadingStore, tmp_path: Path) -> None:
    store.write("c-0", readings(own, "s1", [0.1], [1]))
    store.write("c-1", readings(own, "s1", [0.2], [2]))
    store.tidy(at(5))
    store.write("c-2", readings(own, "s1", [0.3], [3]))
    assert store.read([span(0, 1)])["x"].to_pylist() == [1.0, 2.0, 3.0]
    assert store.tidy(at(5)) == [at(0).date()]
    assert files(tmp_path) == ["date=2024-01-01/merged.parquet"]


def test_a_new_process_merges_what_the_last_one_left_and_removes_its_half_written_files(
    own: Federation, store: ReadingStore, tmp_path: Path
) -> None:
    store.write("c-0", readings(own, "s1", [0.1], [1]))
    store.write("c-1", readings(own, "s1", [0.2], [2]))
    (tmp_path / "readings" / "date=2024-01-01" / ".half.part").write_bytes(b"PAR1")
    again = made.store(own, tmp_path)
    assert again.tidy(at(5)) == [at(0).date()]
    again.recover("c", last=1)
    assert files(tmp_path) == ["date=2024-01-01/merged.parquet"]


def test_a_batch_that_was_not_recorded_is_taken_away_on_all_its_dates(
    own: Federation, store: ReadingStore, tmp_path: Path
) -> None:
    store.write("c-9", readings(own, "s1", [0.1], [1]))
    store.write("c-10", readings(own, "s1", [0.2, 1.2], [2, 2]))
    store.write("d-10", readings(own, "s1", [1.3], [3]))
    made.store(own, tmp_path).recover("c", last=9)
    assert files(tmp_path) == ["date=2024-01-01/c-9.parquet", "date=2024-01-02/d-10.parquet"]


def test_a_field_declared_later_is_missing_in_older_readings(
    own: Federation, store: ReadingStore, tmp_path: Path
) -> None:
    store.write("c-0", readings(own, "s1", [0.1], [1]))
    wider = made.federation(tmp_path, fields={**own.model_dump()["fields"], "z": {"min": 0, "max": 1}})
    found = made.store(wider, tmp_path).read([span(0, 1)])
    assert found["z"].null_count == 1
    assert found["x"].to_pylist() == [1.0]


def test_an_empty_store_has_its_columns(own: Federation, store: ReadingStore) -> None:
    store.write("c-0", store_schema(own.fields).empty_table())
    found = store.read([span(0, 9)])
    assert found.num_rows == 0
    assert found.schema.field("event_time").type == pa.timestamp("us")
