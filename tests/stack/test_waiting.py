"""A wait that fails names what it waited for and shows the end of its log."""

from pathlib import Path

import pytest

from fogline.stack.errors import StackError
from fogline.stack.waiting import N_TAIL_LINES, wait_until


def test_the_deadline_s_error_shows_the_log_s_end(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    with pytest.raises(StackError) as raised:
        wait_until(lambda: False, what="kafka", deadline_s=0.2, log=log)
    lines = str(raised.value).splitlines()
    assert lines[0] == f"kafka was not ready within 0.2 s; the end of its log {log}:"
    assert lines[-1].strip() == "line 99" and len(lines) == N_TAIL_LINES + 1


def test_no_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="it left no log"):
        wait_until(lambda: False, what="kafka", deadline_s=0.2, log=tmp_path / "none")


def test_it_returns_when_the_condition_holds() -> None:
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), what="it", deadline_s=20)


def test_an_error_in_the_condition_ends_the_wait() -> None:
    def broken() -> bool:
        raise StackError("kafka ended")

    with pytest.raises(StackError, match="kafka ended"):
        wait_until(broken, what="kafka", deadline_s=60)
