"""What the fog knows again after a crash."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_jobs.fog.state import BatchCounts, FogState
from tests.spark_jobs.fog.made import at


@pytest.fixture
def state(tmp_path: Path) -> Iterator[FogState]:
    opened = FogState(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def counts(batch: int, n_kept: int, n_rejected: int = 0, checkpoint: str = "c") -> BatchCounts:
    return BatchCounts(checkpoint, batch, n_kept, n_rejected)


def test_a_replayed_batch_replaces_its_counts(state: FogState) -> None:
    state.record_batch(counts(0, 10, 1), {})
    state.record_batch(counts(1, 5, 2), {})
    state.record_batch(counts(1, 6, 3), {})
    assert state.totals() == (16, 4)
    state.record_batch(counts(2, 1), {})
    assert state.totals() == (17, 4)


def test_a_new_checkpoint_adds_to_the_total(state: FogState) -> None:
    state.record_batch(counts(5, 10), {})
    state.record_batch(counts(0, 1, checkpoint="d"), {})
    assert state.totals() == (11, 0)


def test_progress_never_goes_back(state: FogState) -> None:
    state.record_batch(counts(0, 1), {"s1": at(5)})
    state.record_batch(counts(1, 1), {"s1": at(3)})
    assert state.progress.newest == {"s1": at(5)}


def test_a_reading_ends_a_sensors_silence(state: FogState) -> None:
    state.mark_silent(["s1", "s3"])
    assert state.progress.silent == {"s1", "s3"}
    assert state.progress.newest == {}
    state.record_batch(counts(0, 1), {"s1": at(1)})
    assert state.progress.silent == {"s3"}


def test_everything_is_known_again_after_a_crash(state: FogState, tmp_path: Path) -> None:
    state.record_batch(counts(0, 3, 1), {"s1": at(5)})
    state.mark_silent(["s3"])
    state.mark_answered("farm/main/1")
    # Not closed: a killed process closes nothing.
    again = FogState(tmp_path / "state.sqlite")
    assert again.totals() == (3, 1)
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
    state.record_batch(counts(0, 1), {"s1": at(1)})
    waiter.join()
    assert woken == [True]
