"""The processes that belong to a home: found by a mark in their environment, measured, and ended."""

from collections.abc import Iterable
from pathlib import Path

import psutil

# Set for the supervisor alone and inherited from it, so a shell with FOGLINE_HOME exported is never taken for ours.
MARK = "FOGLINE_SUPERVISED_HOME"
TERMINATE_S = 20
KILL_S = 10


def of_home(home: Path) -> list[psutil.Process]:
    """Return the running processes that descend from the supervisor of ``home``, without this one and its parents."""
    current = psutil.Process()
    spared = {current.pid, *(parent.pid for parent in current.parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in spared:
            continue
        try:
            if process.environ().get(MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            # Gone meanwhile, or another user's, which can't be ours.
            continue
    return found


def end(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Ask the processes to end, kill those that don't, and return the ones that still live."""
    alive = list(processes)
    for ask, patience_s in (("terminate", TERMINATE_S), ("kill", KILL_S)):
        for process in alive:
            try:
                getattr(process, ask)()
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(alive, timeout=patience_s)
    return alive


def memory_mib(pid: int) -> float:
    """Return the memory of a process and its descendants in MiB: proportional where the system counts it (Linux)."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for process in family:
        try:
            total += _memory(process)
        except psutil.Error:
            continue
    return total / 2**20


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    return int(getattr(full, "pss", full.uss))
