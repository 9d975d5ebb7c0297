"""Whether Spark's checkpoint goes on from where the fogs are; by files as Spark 4.2 writes them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from spark_jobs.fog.spark_checkpoint import INITIAL, SparkCheckpoint

Offsets = Mapping[int, int]


def plan(checkpoint: Path, batch: int, offsets: Offsets) -> None:
    """Write where a batch ends, or (INITIAL) where the first one begins, as Spark does."""
    lines = ["v1", json.dumps({"t": {str(partition): offset for partition, offset in offsets.items()}})]
    file = checkpoint / "sources/0/0"
    if batch != INITIAL:
        lines.insert(1, json.dumps({"batchWatermarkMs": 0}))
        file = checkpoint / "offsets" / str(batch)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines))
    file.with_name(f".{file.name}.crc").write_bytes(b"crc")


def commit(checkpoint: Path, batch: int) -> None:
    (checkpoint / "commits").mkdir(exist_ok=True)
    (checkpoint / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')


@pytest.fixture
def begun(tmp_path: Path) -> SparkCheckpoint:
    """Batch 9 is committed, batch 10 begun; a partition was added with it."""
    folder = tmp_path / "stream"
    plan(folder, INITIAL, {0: 0})
    for batch, end in ((9, {0: 100}), (10, {0: 150, 1: 7})):
        plan(folder, batch, end)
    commit(folder, 9)
    return SparkCheckpoint(folder, "t")


def test_it_tells_where_batches_begin_and_end(begun: SparkCheckpoint) -> None:
    assert (begun.last_committed(), begun.last_planned()) == (9, 10)
    assert (begun.offsets(INITIAL), begun.offsets(10)) == ({0: 0}, {0: 150, 1: 7})


@pytest.mark.parametrize("wanted", [{0: 100, 1: None}, {0: 120, 1: None}, {0: 100, 1: 0}, {0: 150, 1: 7}])
def test_it_goes_on_where_the_fogs_are_within_the_batch_that_was_begun(
    begun: SparkCheckpoint, wanted: Mapping[int, int | None]
) -> None:
    assert begun.goes_on_from(wanted)


@pytest.mark.parametrize(
    "wanted",
    [{0: 99, 1: None}, {0: 151, 1: 7}, {0: None, 1: None}, {0: 100, 1: 8}, {0: 100, 1: 7, 2: 1}, {}],
    ids=["behind", "ahead", "a fog that never read", "ahead in one partition", "another partition", "none"],
)
def test_it_does_not_go_on_elsewhere(begun: SparkCheckpoint, wanted: Mapping[int, int | None]) -> None:
    assert not begun.goes_on_from(wanted)


def test_one_that_is_not_there_broken_or_of_another_topic_does_not_go_on(begun: SparkCheckpoint) -> None:
    wanted = {0: 100, 1: None}
    assert not SparkCheckpoint(begun.folder / "nothing", "t").goes_on_from(wanted)
    assert not SparkCheckpoint(begun.folder, "another").goes_on_from(wanted)
    # As a power failure leaves it.
    (begun.folder / "offsets" / "10").write_bytes(b"")
    assert not begun.goes_on_from(wanted)


def test_it_is_taken_away_whole_with_what_a_killed_process_left_of_another(begun: SparkCheckpoint) -> None:
    (begun.folder.parent / "stream.old-1" / "offsets").mkdir(parents=True)
    begun.clear()
    assert list(begun.folder.parent.iterdir()) == []
    begun.clear()
