"""Records that are no readings are counted once, at a time that has a reason."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from spark_jobs.fog.rules.moment import EPOCH, MICROSECOND
from spark_jobs.fog.unused import SCHEMA, Clockless
from spark_jobs.fog.watermark import Watermark
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import at, span


def rows(*verdicts: str, offset: int = 0, day: float = 0.5) -> pa.Table:
    """Return records of one day at offsets from ``offset`` on."""
    n = len(verdicts)
    columns = [["s1"] * n, [at(day)] * n, list(verdicts), [0] * n, list(range(offset, offset + n))]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def test_a_record_that_is_judged_again_counts_once(tmp_path: Path) -> None:
    unused = made.unused(made.federation(tmp_path), tmp_path)
    unused.write("c-0", rows("late", "not_json"))
    unused.write("d-0", rows("late", "not_json", "duplicate"))
    assert sorted(unused.read([span(0, 1)])["verdict"].to_pylist()) == ["duplicate", "late", "not_json"]
    unused.tidy(at(9))
    assert unused.size()[0] == 1
    assert unused.read([span(0, 1)]).num_rows == 3
    assert unused.read([span(1, 2)]).num_rows == 0


def when(row: int, sensor: str, before: dict[str, Watermark]) -> float:
    """Return the day of 2024 at which a record counts, in a batch of s1 at rows 2 and 6 and s3 at row 4."""
    times = np.array([(at(day) - EPOCH) // MICROSECOND for day in (1, 2, 3)], np.int64)
    us = Clockless(np.array([2, 4, 6]), ["s1", "s3", "s1"], times, before).when_us(row, sensor)
    return (EPOCH + us * MICROSECOND - at(0)) / made.DAY


def test_a_record_without_a_time_counts_at_its_sensors_reading_before_it() -> None:
    assert when(7, "s1", {}) == 3
    assert when(5, "s1", {}) == 1
    assert when(7, "s3", {}) == 2


def test_before_the_first_of_a_batch_it_counts_at_the_newest_so_far_or_at_the_first() -> None:
    before = {"s1": Watermark((at(0.5) - EPOCH) // MICROSECOND)}
    assert when(1, "s1", before) == 0.5
    assert when(1, "s1", {}) == 1


def test_without_a_sensor_all_readings_of_the_fog_count() -> None:
    before = {"s9": Watermark((at(0.25) - EPOCH) // MICROSECOND)}
    assert [when(row, "", before) for row in (1, 3, 5, 7)] == [0.25, 1, 2, 3]


def test_where_there_is_nothing_it_counts_in_1970() -> None:
    assert Clockless(np.zeros(0, np.int64), [], np.zeros(0, np.int64), {}).when_us(0, "s1") == 0
