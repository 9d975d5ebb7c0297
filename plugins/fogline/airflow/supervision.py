"""Have a task's supervisor see at once that its process has ended.

Airflow 3.3.2: the supervisor waits for what its task's process writes, and looks whether the process has ended each
time that something comes. The last that comes are the closed ends of its sockets, a moment before the process has
ended; if the look falls into that moment, nothing comes any more and the supervisor waits ``min_heartbeat_interval``
(5 s) to look again. On two busy cores that happened to one task in five, and the next task began as much later.
"""

from typing import Any

from airflow.sdk.execution_time.supervisor import WatchedSubprocess

# Between the last socket and the end of the process.
LOOK_AGAIN_S = 0.01


def see_ended_tasks() -> None:
    """Make supervisors in this process and its children look again soon when all sockets are closed."""
    service = WatchedSubprocess._service_subprocess
    if service.__module__ == __name__:
        return

    def look_again_soon(self: WatchedSubprocess, max_wait_time: float, *args: Any, **kwargs: Any) -> int | None:
        wait_s = max_wait_time if self._open_sockets else min(max_wait_time, LOOK_AGAIN_S)
        exit_code: int | None = service(self, wait_s, *args, **kwargs)
        return exit_code

    WatchedSubprocess._service_subprocess = look_again_soon  # type: ignore[method-assign]
