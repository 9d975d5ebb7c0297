"""Keeps the servers' logs of a session of tests in which something failed; a pytest plugin.

The stacks of tests lie in folders that are removed behind them, and so would be all that tells why a test failed.
"""

import contextlib
import datetime as dt
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fogline.stack.bootstrap import default_home

FOLDER = "test-logs"
N_SESSIONS = 5
# Of each log its end.
MOST_BYTES = 512 * 1024
LOG = re.compile(r".+\.log(\.\d+)?|log|stdout|stderr")
# Segments of a broker and of Cassandra have names of logs too; what parsing said of each file is much and says little.
SKIPPED = {"data", "commitlog", "dag_processor", "postgres"}


class KeptLogs:
    """The logs that one session of tests keeps.

    Attributes
    ----------
    folder
        Where they go, once there are any.
    has_failures
        Whether a test failed so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.has_failures = folder, False

    def keep(self, root: Path) -> None:
        """Copy the ends of the logs below a folder, under its name."""
        for log in logs_below(root):
            kept = self.folder / root.name / log.relative_to(root)
            # What is gone meanwhile, or another user's, is not worth a second failure.
            with contextlib.suppress(OSError):
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(_end_of(log))

    @contextlib.contextmanager
    def kept_if_failed(self, root: Path) -> Iterator[None]:
        """Keep the logs below a folder at the end of the block, if it or a test of the session failed."""
        try:
            yield
        except BaseException:
            self.keep(root)
            raise
        if self.has_failures:
            self.keep(root)


def logs_below(root: Path) -> Iterator[Path]:
    """Give the logs of servers below a folder."""
    for place, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(files):
            file = Path(place, name)
            if LOG.fullmatch(name) and file.is_file() and file.stat().st_size:
                yield file


def remove_old(folder: Path, n_kept: int = N_SESSIONS) -> None:
    """Remove the logs of all sessions but the last ones; their names are in the order of time."""
    sessions = sorted(folder.iterdir()) if folder.is_dir() else []
    for old in sessions[: max(0, len(sessions) - n_kept)]:
        shutil.rmtree(old, ignore_errors=True)


def _end_of(log: Path) -> bytes:
    with log.open("rb") as content:
        content.seek(max(0, log.stat().st_size - MOST_BYTES))
        return content.read()


def _new_session() -> KeptLogs:
    # Two lanes begin in the same second.
    name = f"{dt.datetime.now():%Y-%m-%dT%H.%M.%S}-{os.getpid()}"
    return KeptLogs(default_home() / FOLDER / name)


THIS_SESSION = _new_session()


@pytest.fixture(scope="session", autouse=True)
def _logs_in_temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the logs in the folders of the tests; first to begin, so last to end."""
    yield
    if THIS_SESSION.has_failures:
        THIS_SESSION.keep(tmp_path_factory.getbasetemp())


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a failure; the report comes before what the test used is removed."""
    if report.failed:
        THIS_SESSION.has_failures = True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the logs are."""
    if THIS_SESSION.folder.is_dir():
        remove_old(THIS_SESSION.folder.parent)
        terminalreporter.section("servers' logs")
        terminalreporter.write_line(f"the ends of the servers' logs of this session are in {THIS_SESSION.folder}")
