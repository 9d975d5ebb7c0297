"""What servers said outlives the folders of a session of tests in which one failed, and only then."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fogline.stack.bootstrap import REPOSITORY
from tests.support.kept_logs import FOLDER, MOST_BYTES, KeptLogs, logs_below, remove_old
from tests.support.stacks import fresh_home

SESSION = """
import pytest
from tests.support.kept_logs import THIS_SESSION

@pytest.fixture(scope="session")
def server(tmp_path_factory):
    (home := tmp_path_factory.mktemp("x") / "home").mkdir()
    (home / "kafka.log").write_text("the broker's word")
    with THIS_SESSION.kept_if_failed(home):
        yield
    (home / "kafka.log").unlink()

def test_that_fails(server, tmp_path):
    (tmp_path / "log").write_text("the process' word")
    assert False

def test_after_it(server): pass
"""


def test_a_failed_session_s_logs_outlive_it_and_it_says_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SESSION)
    own = {
        "FOGLINE_HOME": str(tmp_path / "own"),
        "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY}/plugins",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    options = ["-p", "tests.support.kept_logs", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options]
    said = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, cwd=tmp_path).stdout
    (kept,) = (tmp_path / "own" / FOLDER).iterdir()
    found = {path.name: path.read_text() for path in kept.glob("**/*") if path.is_file()}
    assert found == {"kafka.log": "the broker's word", "log": "the process' word"}
    assert f"logs of this session are in {kept}" in said and "1 failed, 1 passed" in said


@pytest.mark.parametrize("failed", [None, "a test before", "the block itself"])
def test_a_stack_s_logs_are_kept_if_something_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: str | None
) -> None:
    kept = KeptLogs(tmp_path)
    kept.has_failures = failed == "a test before"
    monkeypatch.setattr("tests.support.stacks.THIS_SESSION", kept)
    with contextlib.suppress(OSError), fresh_home() as home:
        (home / "logs").mkdir()
        (home / "logs" / "kafka.log").write_text("the broker's word")
        if failed == "the block itself":
            raise OSError("it did not start")
    assert [path.read_text() for path in tmp_path.glob("*/logs/kafka.log")] == ["the broker's word"] * bool(failed)
    assert not home.exists()


def test_of_a_long_log_its_end_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "home"
    source.mkdir()
    (source / "kafka.log").write_bytes(b"old" * MOST_BYTES + b"the end")
    KeptLogs(tmp_path / "kept").keep(source)
    content = (tmp_path / "kept" / "home" / "kafka.log").read_bytes()
    assert len(content) == MOST_BYTES and content.endswith(b"the end")


def test_what_is_no_server_s_log_is_left(tmp_path: Path) -> None:
    for name in (
        "kafka/data/t-0/0.log",
        "airflow/logs/dag_processor/a.log",
        "logs/kafka.log.1",
        "cluster/work/0/stderr",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "logs" / "empty.log").touch()
    (tmp_path / "logs" / "running.json").write_text("{}")
    assert [str(log.relative_to(tmp_path)) for log in logs_below(tmp_path)] == [
        "cluster/work/0/stderr",
        "logs/kafka.log.1",
    ]


def test_only_the_last_sessions_stay(tmp_path: Path) -> None:
    for day in range(1, 9):
        (tmp_path / f"2024-01-0{day}" / "home").mkdir(parents=True)
    remove_old(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2024-01-07", "2024-01-08"]
    remove_old(tmp_path / "none yet")
