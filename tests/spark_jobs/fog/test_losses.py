"""Of what a batch was to hold, the records that expired are counted; by files as Spark 4.2 writes them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from spark_jobs.fog.errors import FogError
from spark_jobs.fog.losses import Losses

Offsets = Mapping[int, int]


def plan(checkpoint: Path, batch: int | None, offsets: Offsets) -> None:
    """Write where a batch ends, or (None) where the topic began, as Spark does."""
    lines = ["v1", json.dumps({"t": {str(partition): offset for partition, offset in offsets.items()}})]
    file = checkpoint / "sources/0/0"
    if batch is not None:
        lines.insert(1, json.dumps({"batchWatermarkMs": 0}))
        file = checkpoint / "offsets" / str(batch)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines))


def count(
    checkpoint: Path, batch: int, places: Iterable[tuple[int, int]], held: Mapping[int, int] | None = None
) -> int:
    rows = np.array(list(places), np.int64).reshape(-1, 2)
    return Losses(checkpoint, "t", lambda _: held or {}, "fog-a").count(batch, rows[:, 0], rows[:, 1])


def test_a_batch_with_all_its_records_lost_none_and_asks_nobody(tmp_path: Path) -> None:
    plan(tmp_path, None, {0: 0, 1: 0})
    plan(tmp_path, 0, {0: 2, 1: 1})
    losses = Losses(tmp_path, "t", lambda _: pytest.fail("asked"), "fog-a")
    assert losses.count(0, np.array([0, 1, 0]), np.array([0, 0, 1])) == 0


def test_expired_records_are_counted_by_partition_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plan(tmp_path, 3, {0: 10, 1: 20})
    plan(tmp_path, 4, {0: 16, 1: 25})
    assert count(tmp_path, 4, [(0, 14), (0, 15)], {0: 14, 1: 25}) == 4 + 5
    assert "t[0]: 4 records of offsets 10 to 15 are lost" in caplog.text
    assert "t[1]: 5 records of offsets 20 to 24 are lost" in caplog.text


def test_the_markers_of_transactions_are_no_records(tmp_path: Path) -> None:
    plan(tmp_path, 3, {0: 10})
    plan(tmp_path, 4, {0: 16})
    places = [(0, offset) for offset in (10, 11, 13, 14)]
    assert count(tmp_path, 4, places, {0: 0}) == 0
    assert count(tmp_path, 4, places[2:], {0: 13}) == 3


def test_where_kafka_does_not_tell_each_offset_without_a_record_counts(tmp_path: Path) -> None:
    plan(tmp_path, 3, {0: 10})
    plan(tmp_path, 4, {0: 12})
    assert count(tmp_path, 4, []) == 2


def test_a_partition_that_is_added_begins_at_zero(tmp_path: Path) -> None:
    plan(tmp_path, 3, {0: 10})
    plan(tmp_path, 4, {0: 10, 1: 4})
    assert count(tmp_path, 4, [(1, 3)], {1: 3}) == 3


def test_what_expired_before_the_first_start_is_said_but_not_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan(tmp_path, None, {0: 7, 1: 0})
    plan(tmp_path, 0, {0: 8, 1: 0})
    assert count(tmp_path, 0, [(0, 7)]) == 0
    assert [record.message for record in caplog.records] == [
        "t[0]: begins at offset 7; the records before it expired before this fog's first start"
    ]


@pytest.mark.parametrize("end", [{0: 10, 1: 3}, {0: 10}])
def test_a_topic_that_ends_before_what_was_read_is_refused_with_the_remedy(tmp_path: Path, end: Offsets) -> None:
    plan(tmp_path, 3, {0: 10, 1: 5})
    plan(tmp_path, 4, end)
    with pytest.raises(FogError, match=r"t\[1\] ends at offset \d and was read up to 5: .* made anew; move .* away"):
        count(tmp_path, 4, [])
