"""CPU seconds of a whole stack by group of processes, with those of processes that came and went."""

import contextlib
from collections.abc import Mapping

import psutil

from fogline.stack import processes
from fogline.stack.stack import Stack

SUPERVISOR, OTHERS = "supervisor", "others"
TOTAL = "total"


def cpu_by_group(stack: Stack) -> dict[str, float]:
    """Return the CPU seconds that each supervised program has used since it was started, with all its children.

    A child that ended counts in its parent, which waited for it. The supervisor's part has programs that ended.
    """
    used: dict[str, float] = {}
    seen: set[int] = set()
    for state in stack.supervisor.states():
        if state.pid:
            family = _family(state.pid)
            seen |= {process.pid for process in family}
            used[state.name] = sum(map(_cumulated_s, family))
    for process in processes.of_home(stack.settings.home):
        if process.pid not in seen:
            group = SUPERVISOR if _is_supervisor(process) else OTHERS
            used[group] = used.get(group, 0.0) + _cumulated_s(process)
    return used


def cpu_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what each group used from one look to the next, and the total, which is first."""
    used = {group: after[group] - before.get(group, 0.0) for group in after}
    return {TOTAL: sum(used.values()), **used}


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cumulated_s(process: psutil.Process) -> float:
    # Who ended meanwhile is in its parent's sum at the next look.
    with contextlib.suppress(psutil.Error):
        return float(sum(process.cpu_times()[:4]))
    return 0.0


def _is_supervisor(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "supervisor.supervisord" in process.cmdline()
    return False
