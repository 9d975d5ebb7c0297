"""The crash matrix: who is killed at which step of a round, and one round with such a crash."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fogline.stack import processes
from fogline.stack.airflow_runs import ENDED
from fogline.stack.waiting import wait_until
from tests.support.farm import Farm
from tests.support.killpoints.sitecustomize import POINTS

KILLPOINTS = Path(__file__).parent / "killpoints"
RECOVERY_S = 300
# Where a task is held while another process is killed: one point in the middle of each step.
STEPS = {
    "announce": "announce, blocks sent",
    "collect": "collect, judged",
    "aggregate": "aggregate, in the job",
    "evaluate": "evaluate, sealed",
    "publish": "publish, committed",
}
ITSELF = "the process itself"


def has_words(*words: str) -> Callable[[psutil.Process], bool]:
    """Tell whether a process' command line has all of some words."""
    return lambda process: all(word in " ".join(process.cmdline()) for word in words)


VICTIMS: dict[str, Callable[[psutil.Process], bool]] = {
    "broker": has_words("kafka.Kafka"),
    "fog's Java": has_words("SparkSubmit", "fog_node.py"),
    "fog's Python": lambda process: "python" in process.name() and has_words("fog_node.py")(process),
    "aggregation's Java": has_words("SparkSubmit", "aggregate_round.py"),
    "scheduler": lambda process: has_words("airflow", "scheduler")(process) and _is_supervised(process),
    "worker": has_words("airflow worker"),
    "Postgres": lambda process: "postgres" in process.name() and _is_supervised(process),
    "dag-processor": lambda process: has_words("airflow", "dag-processor")(process) and _is_supervised(process),
    "api-server": lambda process: has_words("airflow", "api")(process) and _is_supervised(process),
}


def _is_supervised(process: psutil.Process) -> bool:
    parent = process.parent()
    return parent is not None and has_words("supervisor.supervisord")(parent)


@dataclass(frozen=True)
class Crash:
    """Somebody dies at a point: the process that comes there, or another one while it is held there."""

    point: str
    victim: str = ITSELF

    def __str__(self) -> str:
        return f"{self.victim} at: {self.point}"


def matrix() -> list[Crash]:
    """Return every point where a process may die, and every victim at every step."""
    own = [Crash(point) for point in POINTS]
    others = [
        Crash(point, victim)
        for step, point in STEPS.items()
        for victim in VICTIMS
        if step == "aggregate" or victim != "aggregation's Java"
    ]
    return own + others


def subset() -> list[Crash]:
    """Return the part of the matrix that the tests run; `benchmarks/crash_matrix.py` runs all of it."""
    return [
        Crash("publish, committed"),
        Crash("fog, blocks sent"),
        Crash(STEPS["announce"], "fog's Java"),
        Crash(STEPS["collect"], "broker"),
        Crash(STEPS["evaluate"], "Postgres"),
    ]


class Armory:
    """Arms kill points in the folder that the stack's processes watch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def arm(self, point: str, action: str) -> None:
        """Have the first process that comes to a point die (``kill``) or wait (``hold``)."""
        # Under another name first: who renames it must find it written.
        written = self.folder / f".{point}"
        written.write_text(action)
        written.rename(self.folder / point)

    def taken(self, point: str) -> Path | None:
        """Return the mark of the process that came to a point."""
        return next(iter(self.folder.glob(f"{point}.taken-*")), None)

    def clear(self) -> None:
        """Disarm everything and let held processes go on."""
        for path in self.folder.iterdir():
            path.unlink()


@contextlib.contextmanager
def armed_environment(folder: Path) -> Iterator[Armory]:
    """Make stacks that start meanwhile watch a folder of kill points."""
    folder.mkdir(parents=True, exist_ok=True)
    # Postgres and others may run as another user.
    folder.chmod(0o777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOGLINE_KILLPOINTS", str(folder))
        patch.setenv("PYTHONPATH", str(KILLPOINTS), prepend=os.pathsep)
        yield Armory(folder)


def victims(farm: Farm, name: str) -> list[psutil.Process]:
    """Return the living processes of a stack that a name stands for."""
    found = []
    for process in processes.of_home(farm.stack.settings.home):
        with contextlib.suppress(psutil.Error):
            if VICTIMS[name](process):
                found.append(process)
    return found


def kill(farm: Farm, name: str) -> bool:
    """Kill -9 the processes that a name stands for; return whether there was one."""
    found = victims(farm, name)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return bool(found)


@dataclass(frozen=True)
class Recovery:
    """How a round with a crash went."""

    crash: Crash
    run_id: str
    state: str
    wall_s: float


def round_with(farm: Farm, armory: Armory, crash: Crash) -> Recovery:
    """Start a round, let the crash happen, and wait until the round is over."""
    began = time.monotonic()
    is_own = crash.victim == ITSELF
    armory.arm(crash.point, "kill" if is_own else "hold")
    run_id = farm.runs.trigger(farm.dag_id)
    wait_until(lambda: armory.taken(crash.point) is not None, what=str(crash), deadline_s=RECOVERY_S, every_s=0.05)
    if not is_own:
        assert kill(farm, crash.victim), f"there is no {crash.victim} to kill"
    armory.clear()

    def has_ended() -> bool:
        return farm.runs.state(farm.dag_id, run_id) in ENDED

    wait_until(has_ended, what=str(crash), deadline_s=RECOVERY_S, every_s=0.5)
    return Recovery(crash, run_id, farm.runs.state(farm.dag_id, run_id), time.monotonic() - began)
