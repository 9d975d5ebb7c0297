"""Tell whether Fogline's modules in this process are still what their files say, and forget them if not.

A process that forks imports modules once for all its children. A child that forgets those whose files have changed
imports them anew, so an edit needs no restart.
"""

import os
import sys
from collections.abc import Iterable, Mapping

PACKAGES = ("fogline", "spark_jobs")
# By a module's file; None where there is none any more.
Stamps = Mapping[str, tuple[int, int] | None]


def stamps() -> Stamps:
    """Return time of change and size of the file of each loaded module of :data:`PACKAGES`."""
    return stamps_of(file for name in _own() if (file := getattr(sys.modules[name], "__file__", None)))


def stamps_of(files: Iterable[str]) -> Stamps:
    """Return time of change in nanoseconds and size in bytes of each file."""
    return {file: _stamp(file) for file in files}


def forget_changed(before: Stamps) -> bool:
    """Forget all loaded modules of :data:`PACKAGES` if the file of any is not what it was.

    Parameters
    ----------
    before
        From `stamps`, when the modules were loaded.

    Returns
    -------
    bool
        Whether they were forgotten; the next import of each reads its file.
    """
    if stamps_of(before) == before:
        return False
    for name in _own():
        del sys.modules[name]
    return True


def _own() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in PACKAGES]


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
