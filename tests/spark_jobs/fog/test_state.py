"""What the fog knows again after a crash."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_jobs.fog.rules.moment import EPOCH, MICROSECOND
from spark_jobs.fog.state import Batch, FogState
from spark_jobs.fog.watermark import Watermark
from tests.spark_jobs.fog.made import at


@pytest.fixture
def state(tmp_path: Path) -> Iterator[FogState]:
    opened = FogState(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def us(day: float) -> int:
    return (at(day) - EPOCH) // MICROSECOND


def record(state: FogState, number: int, newest: float | None = None, checkpoint: str = "c", **tally: int) -> None:
    marks = {} if newest is None else {"s1": Watermark(us(newest))}
    state.record_batch(Batch(checkpoint, number), tally, marks, {0: 10 * number + 10})


def test_a_replayed_batch_replaces_its_counts(state: FogState) -> None:
    record(state, 0, kept=10, late=1)
    record(state, 1, kept=5, late=2, conflict=1)
    record(state, 1, kept=6, late=3)
    assert state.totals() == {"kept": 16, "late": 4, "conflict": 0}
    record(state, 2, kept=1)
    assert state.totals() == {"kept": 17, "late": 4, "conflict": 0}


def test_a_new_checkpoint_adds_to_the_total(state: FogState) -> None:
    record(state, 5, kept=10)
    record(state, 0, checkpoint="d", kept=1)
    assert state.totals() == {"kept": 11}


def test_a_replayed_batch_sees_the_watermarks_from_before_it(state: FogState) -> None:
    record(state, 0, 1)
    for _ in range(2):
        record(state, 2, 5)
    for number, newest in ((2, 1), (3, 5)):
        assert state.watermarks(Batch("c", number)) == {"s1": Watermark(us(newest))}
    assert state.watermarks(Batch("another", 3)) == {}


def test_offsets_without_a_record_are_counted_once_a_batch(state: FogState) -> None:
    for _ in range(2):
        record(state, 0, kept=1, lost=7)
    assert state.totals() == {"kept": 1, "lost": 7}


def test_a_position_is_noted_with_its_batch_and_never_goes_back(state: FogState, tmp_path: Path) -> None:
    assert state.position("c") == {}
    record(state, 3, kept=1)
    state.advance("c", {0: 20, 1: 5})
    state.advance("d", {0: 1})
    again = FogState(tmp_path / "state.sqlite")
    assert again.position("c") == {0: 40, 1: 5}
    assert again.position("d") == {0: 1}
    assert (again.last_batch("c"), again.last_batch("d")) == (3, -1)
    again.close()


def test_progress_never_goes_back(state: FogState) -> None:
    record(state, 0, 5)
    record(state, 1, 3)
    assert state.progress.newest == {"s1": at(5)}


def test_a_reading_ends_a_sensors_silence(state: FogState) -> None:
    state.mark_silent(["s1", "s3"])
    assert state.progress.silent == {"s1", "s3"}
    assert state.progress.newest == {}
    record(state, 0, 1)
    assert state.progress.silent == {"s3"}


def test_everything_is_known_again_after_a_crash(state: FogState, tmp_path: Path) -> None:
    record(state, 0, 5, kept=3, late=1)
    state.mark_silent(["s3"])
    state.mark_answered("farm/main/1")
    # Not closed: a killed process closes nothing.
    again = FogState(tmp_path / "state.sqlite")
    assert again.totals() == {"kept": 3, "late": 1}
    assert again.progress.newest == {"s1": at(5)}
    assert again.progress.silent == {"s3"}
    assert again.is_answered("farm/main/1")
    assert not again.is_answered("farm/main/2")
    again.close()


def test_progress_wakes_who_waits_for_it(state: FogState) -> None:
    woken: list[bool] = []

    def wait() -> None:
        with state.changed:
            ready.set()
            woken.append(state.changed.wait(30))

    ready = threading.Event()
    waiter = threading.Thread(target=wait)
    waiter.start()
    ready.wait(30)
    record(state, 0, 1, kept=1)
    waiter.join()
    assert woken == [True]
