"""Rows: features, target, held-out days; and digests of readings."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fogline.federation import Federation
from fogline.holdout import is_held_out
from spark_jobs.fog.examples import rows_of, sensor_days
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import at, line, readings, span


@pytest.fixture
def own(tmp_path: Path) -> Federation:
    earlier = "max(x) OVER (PARTITION BY sensor_id ORDER BY event_time RANGE BETWEEN INTERVAL 1 HOUR PRECEDING "
    return made.federation(
        tmp_path,
        features={"x": "x", "x_earlier": earlier + "AND INTERVAL 1 HOUR PRECEDING)", "log_x": "ln(abs(x))"},
        held_out_share=0.4,
    )


def test_rows_have_features_in_order_of_sensor_and_time(own: Federation, tmp_path: Path) -> None:
    store = made.store(own, tmp_path)
    store.write("c-0", readings(own, "s3", [1 / 24, 0.0], [0.5, -2.0]))
    store.write("c-1", readings(own, "s1", [0.0, 1 / 24, 3 / 24], [1.0, None, 3.0]))
    rows = rows_of(store.read([span(0, 1)]), own.specification())
    np.testing.assert_array_equal(rows.columns["x"], [1.0, np.nan, 3.0, -2.0, 0.5])
    np.testing.assert_array_equal(rows.columns["x_earlier"], [np.nan, 1.0, np.nan, np.nan, -2.0])
    np.testing.assert_array_equal(rows.target, [3.0, np.nan, 7.0, -3.0, 2.0])
    assert len(rows.with_target()) == 4


def test_an_infinite_feature_is_a_missing_one(own: Federation, tmp_path: Path) -> None:
    store = made.store(own, tmp_path)
    store.write("c-0", readings(own, "s1", [0.0, 0.5], [0.0, 1.0]))
    rows = rows_of(store.read([span(0, 1)]), own.specification())
    np.testing.assert_array_equal(rows.columns["log_x"], [np.nan, 0.0])


def test_whole_days_of_a_sensor_are_held_out(own: Federation, tmp_path: Path) -> None:
    store = made.store(own, tmp_path)
    for number, sensor in enumerate(("s1", "s3")):
        store.write(f"c-{number}", line(own, sensor, 0, 20))
    rows = rows_of(store.read([span(0, 20)]), own.specification())
    expected = [
        is_held_out(own.seed, sensor, at(day).date(), 0.4)
        for sensor in ("s1", "s3")
        for day in range(20)
        for _ in range(24)
    ]
    np.testing.assert_array_equal(rows.held_out, expected)
    assert 0 < rows.held_out.mean() < 1


def test_within_is_half_open(own: Federation, tmp_path: Path) -> None:
    store = made.store(own, tmp_path)
    store.write("c-0", readings(own, "s1", [0.0, 1.0, 2.0], [1, 2, 3]))
    rows = rows_of(store.read([span(0, 9)]), own.specification()).within(span(1, 2))
    np.testing.assert_array_equal(rows.columns["x"], [2.0])


def test_a_days_digest_changes_with_a_value_and_with_nothing_else(own: Federation, tmp_path: Path) -> None:
    def days(name: str, *tables: pa.Table) -> list[tuple[str, str, int, str]]:
        store = made.store(own, tmp_path / name)
        for number, table in enumerate(tables):
            store.write(f"c-{number}", table)
        found = sensor_days(store.read([span(0, 9)]))
        return [(day.sensor_id, day.date.isoformat(), day.n_readings, day.sha256) for day in found]

    table = readings(own, "s1", [0.1, 0.2, 1.1], [1.0, None, 3.0])
    once = days("a", table)
    assert [day[:3] for day in once] == [("s1", "2024-01-01", 2), ("s1", "2024-01-02", 1)]
    assert days("b", table.slice(2), table.slice(0, 2), table) == once
    other = days("c", readings(own, "s1", [0.1, 0.2, 1.1], [1.0, 2.0, 3.0]))
    assert other[0][3] != once[0][3]
    assert other[1] == once[1]
