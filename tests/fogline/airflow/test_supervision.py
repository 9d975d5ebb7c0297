"""A supervisor whose task has closed its sockets looks for the end of the process again at once."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.supervisor import WatchedSubprocess

from fogline.airflow.supervision import LOOK_AGAIN_S, see_ended_tasks


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []

    def service(self: Any, max_wait_time: float, raise_on_timeout: bool = False) -> None:
        waited.append(max_wait_time)

    monkeypatch.setattr(WatchedSubprocess, "_service_subprocess", service)
    see_ended_tasks()
    # Once is enough, however often the executor starts.
    see_ended_tasks()
    return waited


def service(open_sockets: dict[str, str]) -> None:
    WatchedSubprocess._service_subprocess(SimpleNamespace(_open_sockets=open_sockets), max_wait_time=5.0)  # type: ignore[arg-type]


def test_while_a_socket_is_open_it_waits_for_that(waits: list[float]) -> None:
    service({"a socket": "logs"})
    assert waits == [5.0]


def test_when_all_are_closed_it_looks_again_soon(waits: list[float]) -> None:
    service({})
    assert waits == [LOOK_AGAIN_S]
