"""The executor wakes its scheduler by results, and gives it the looks that follow from one."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fogline.airflow import executor as executors
from fogline.airflow.executor import VigilantLocalExecutor

LONG_S = 60.0


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An executor with its workers, that would wait a minute and has nothing to look at."""
    monkeypatch.setattr(executors, "IDLE_S", LONG_S)
    monkeypatch.setattr(executors, "preload", lambda names: None)
    one = VigilantLocalExecutor(parallelism=1)
    one.start()
    one._n_looks_left = 0
    yield one
    one.end()


def synced_in_s(executor: Any) -> float:
    """Return how long a call of `sync` takes."""
    began = time.monotonic()
    executor.sync()
    return time.monotonic() - began


def test_a_result_ends_the_wait(executor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[tuple[str, str]] = []
    monkeypatch.setattr(executor, "change_state", lambda key, state: changed.append((key, state)))
    threading.Timer(0.3, executor.result_queue.put, [("task", "success", None)]).start()
    assert synced_in_s(executor) < LONG_S / 2
    assert changed == [("task", "success")]


def test_the_look_after_a_result_does_not_wait_and_the_one_behind_it_does(
    executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    monkeypatch.setattr(executor, "change_state", lambda key, state: None)
    monkeypatch.setattr(executor, "_wait", lambda: waits.append(True))
    executor.result_queue.put(("task", "success", None))
    counts = []
    for _ in range(3):
        executor.sync()
        counts.append(len(waits))
    assert counts == [1, 1, 2]


def test_nothing_ends_the_wait_but_its_time(executor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "IDLE_S", 0.2)
    assert synced_in_s(executor) >= 0.2
