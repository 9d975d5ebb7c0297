"""Of what a batch was to hold, the records that expired are counted."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from spark_jobs.fog.errors import FogError
from spark_jobs.fog.losses import Losses
from spark_jobs.fog.planned import Planned

Offsets = Mapping[int, int]
CHECKPOINT = Path("fog-a/checkpoint")


def count(
    starts: Offsets,
    ends: Offsets,
    places: Iterable[tuple[int, int]],
    held: Offsets | None = None,
    position: Offsets | None = None,
) -> int:
    """Count for a fog that stands where the batch begins, or at ``position``."""
    rows = np.array(list(places), np.int64).reshape(-1, 2)
    left = Planned("t", starts, ends).left_for(starts if position is None else position, CHECKPOINT)
    return Losses("t", lambda _: held or {}, "fog-a").count(left, rows[:, 0], rows[:, 1])


def test_a_batch_with_all_its_records_lost_none_and_asks_nobody() -> None:
    left = Planned("t", {0: 0, 1: 0}, {0: 2, 1: 1}).left_for({}, CHECKPOINT)
    losses = Losses("t", lambda _: pytest.fail("asked"), "fog-a")
    assert losses.count(left, np.array([0, 1, 0]), np.array([0, 0, 1])) == 0


def test_expired_records_are_counted_by_partition_and_said(caplog: pytest.LogCaptureFixture) -> None:
    starts, ends = {0: 10, 1: 20}, {0: 16, 1: 25}
    assert count(starts, ends, [(0, 14), (0, 15)], {0: 14, 1: 25}) == 4 + 5
    assert "t[0]: 4 records of offsets 10 to 15 are lost" in caplog.text
    assert "t[1]: 5 records of offsets 20 to 24 are lost" in caplog.text


def test_a_fog_that_took_a_part_before_misses_only_what_is_left_for_it(caplog: pytest.LogCaptureFixture) -> None:
    starts, ends = {0: 10, 1: 20}, {0: 16, 1: 25}
    assert count(starts, ends, [(0, 15)], {0: 15, 1: 25}, position={0: 12, 1: 25}) == 3
    assert "t[0]: 3 records of offsets 12 to 15 are lost" in caplog.text
    assert "t[1]" not in caplog.text
    assert count(starts, ends, [], {0: 16, 1: 25}, position={0: 40, 1: 25}) == 0


def test_the_markers_of_transactions_are_no_records() -> None:
    places = [(0, offset) for offset in (10, 11, 13, 14)]
    assert count({0: 10}, {0: 16}, places, {0: 0}) == 0
    assert count({0: 10}, {0: 16}, places[2:], {0: 13}) == 3


def test_where_kafka_does_not_tell_each_offset_without_a_record_counts() -> None:
    assert count({0: 10}, {0: 12}, []) == 2


def test_a_partition_that_is_added_begins_at_zero() -> None:
    assert count({0: 10}, {0: 10, 1: 4}, [(1, 3)], {1: 3}) == 3
    # Also where the query was begun anew, at the first record that is there.
    assert count({0: 10, 1: 3}, {0: 10, 1: 4}, [(1, 3)], {1: 3}, position={0: 10}) == 3


def test_what_expired_before_the_first_start_is_said_but_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    starts = {0: 7, 1: 0}
    assert count(starts, {0: 8, 1: 0}, [(0, 7)], position={}) == 0
    Losses("t", lambda _: {}, "fog-a").say_where_it_begins(starts)
    assert [record.message for record in caplog.records] == [
        "t[0]: begins at offset 7; the records before it expired before this fog's first start"
    ]


@pytest.mark.parametrize("end", [{0: 10, 1: 3}, {0: 10}])
def test_a_topic_that_ends_before_what_was_read_is_refused_with_the_remedy(end: Offsets) -> None:
    says = rf"t\[1\] ends at offset \d and was read up to 5: .* made anew; move {CHECKPOINT} away"
    with pytest.raises(FogError, match=says):
        count({0: 10, 1: 5}, end, [])
