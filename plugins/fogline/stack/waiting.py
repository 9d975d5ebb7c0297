"""Waiting for a condition with a deadline, which what the condition calls can ask for."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from fogline.stack.errors import StackError

N_TAIL_LINES = 15
# When the wait under way gives up, by the monotonic clock; of waits in one another the first to do so.
_ENDS_AT: ContextVar[float | None] = ContextVar("ends_at", default=None)


def remaining_s(otherwise: float) -> float:
    """Return the seconds until the deadline of the wait under way, or ``otherwise`` outside of every wait."""
    ends_at = _ENDS_AT.get()
    return otherwise if ends_at is None else max(0.0, ends_at - time.monotonic())


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Have everything inside know that it must be over within ``seconds``."""
    token = _ENDS_AT.set(time.monotonic() + min(seconds, remaining_s(seconds)))
    try:
        yield
    finally:
        _ENDS_AT.reset(token)


def wait_until(
    condition: Callable[[], bool], *, what: str, deadline_s: float, log: Path | None = None, every_s: float = 0.1
) -> None:
    """Return as soon as ``condition()`` holds; an exception it raises ends the wait at once.

    Raises
    ------
    StackError
        When it doesn't hold within ``deadline_s`` seconds; the message ends with the tail of ``log`` and its path.
    """
    attempts = Retrying(stop=stop_after_delay(deadline_s), wait=wait_fixed(every_s), retry=retry_if_not_result(bool))
    try:
        with deadline(deadline_s):
            attempts(condition)
    except RetryError:
        raise StackError(f"{what} was not ready within {deadline_s:g} s{log_tail(log)}") from None


def log_tail(log: Path | None) -> str:
    """Return the end of a log with the path where the whole lies, as the last part of an error message."""
    if log is None:
        return ""
    if not log.is_file():
        return f"; it left no log in {log}"
    # Java's stack frames would push the line that says what is wrong out of the tail.
    lines = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("\tat ")]
    return "\n".join([f"; the end of its log {log}:", *(f"    {line}" for line in lines[-N_TAIL_LINES:])])
