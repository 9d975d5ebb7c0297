"""A real supervisor with small programs: what it restarts, what it gives up, and that nothing outlives it."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fogline.stack import processes
from fogline.stack.errors import StackError
from fogline.stack.programs import Program
from fogline.stack.supervise import Supervisor
from fogline.stack.waiting import wait_until
from tests.support.stacks import fresh_home, settings_for

SLEEPS = "import time; print('here', flush=True); time.sleep(600)"
# A child in a session of its own that ignores the request to end, as a careless program's may.
ESCAPES = f"""
import signal, subprocess, sys
child = [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); {SLEEPS}"]
subprocess.Popen(child, start_new_session=True)
{SLEEPS}
"""


def program(name: str, code: str, settle_s: int = 1) -> Program:
    return Program(name, [sys.executable, "-c", code], settle_s=settle_s)


@pytest.fixture
def home() -> Iterator[Path]:
    with fresh_home() as folder:
        yield folder
        processes.end(processes.of_home(folder))


@pytest.fixture
def supervised(home: Path) -> Callable[..., Supervisor]:
    def start(*programs: Program) -> Supervisor:
        supervisor = Supervisor(settings_for(home))
        supervisor.start(programs, {})
        for one in programs:
            supervisor.start_program(one.name)
        return supervisor

    return start


def test_a_finished_program_is_done_and_not_started_again(supervised: Callable[..., Supervisor]) -> None:
    supervisor = supervised(program("replay", "print('all sent')", settle_s=0))
    wait_until(lambda: supervisor.state("replay").ended_well, what="the replay", deadline_s=20)
    supervisor.require_alive("replay")
    assert not supervisor.start_program("replay")
    assert supervisor.log("replay").read_text() == "all sent\n"


def test_a_program_has_variables_of_its_own_over_the_stacks(supervised: Callable[..., Supervisor]) -> None:
    tell = "import os; print(os.environ.get('FOGLINE_METRICS_PORT'))"
    told = replace(program("told", tell, settle_s=0), environment={"FOGLINE_METRICS_PORT": "9109"})
    supervisor = supervised(told, program("untold", tell, settle_s=0))
    for name, says in (("told", "9109"), ("untold", "None")):
        wait_until(lambda name=name: supervisor.state(name).ended_well, what=name, deadline_s=20)
        assert supervisor.log(name).read_text() == f"{says}\n"


def test_a_program_that_can_t_start_is_reported_with_its_log(supervised: Callable[..., Supervisor]) -> None:
    supervisor = supervised(program("broken", "raise SystemExit('the disk is full')"))

    def alive() -> bool:
        supervisor.require_alive("broken")
        return False

    with pytest.raises(StackError) as raised:
        wait_until(alive, what="broken", deadline_s=60)
    assert str(raised.value).startswith("broken ended at once each time that it was started")
    assert "the disk is full" in str(raised.value) and str(supervisor.log("broken")) in str(raised.value)


def test_a_program_that_is_killed_again_and_again_comes_back(supervised: Callable[..., Supervisor]) -> None:
    supervisor = supervised(program("victim", SLEEPS, settle_s=15))
    log = supervisor.log("victim")
    for n_starts in range(1, 6):
        wait_until(lambda n=n_starts: log.exists() and log.read_text().count("here") == n, what="it", deadline_s=20)
        psutil.Process(supervisor.state("victim").pid).kill()
    wait_until(lambda: log.read_text().count("here") == 6, what="it", deadline_s=20)


def test_a_program_between_two_tries_is_neither_started_twice_nor_left(supervised: Callable[..., Supervisor]) -> None:
    supervisor = supervised(program("victim", "raise SystemExit(1)"))
    wait_until(lambda: supervisor.state("victim").state == "BACKOFF", what="its end", deadline_s=20, every_s=0.01)
    assert not supervisor.start_program("victim")
    wait_until(lambda: supervisor.state("victim").state == "BACKOFF", what="its end", deadline_s=20, every_s=0.01)
    supervisor.stop_program("victim")
    assert supervisor.state("victim").state == "STOPPED"


def test_what_escapes_the_supervisor_is_found_and_ended(
    supervised: Callable[..., Supervisor], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "TERMINATE_S", 1)
    supervisor = supervised(program("careless", ESCAPES), program("plain", SLEEPS))
    log = supervisor.log("careless")
    wait_until(lambda: log.read_text().count("here") == 2, what="both", deadline_s=20, log=log)
    assert len(processes.of_home(home)) == 4
    supervisor.stop(last=["plain"])
    assert len(processes.of_home(home)) == 1
    assert processes.end(processes.of_home(home)) == []
    assert processes.of_home(home) == []


def test_a_killed_supervisor_is_started_again(supervised: Callable[..., Supervisor], home: Path) -> None:
    supervisor = supervised(program("plain", SLEEPS))
    left = processes.of_home(home)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=20)
    assert supervisor.socket.exists() and not supervisor.running()
    again = supervised(program("plain", SLEEPS))
    wait_until(lambda: again.state("plain").state == "RUNNING", what="plain", deadline_s=20)
    again.stop(last=[])
    assert processes.of_home(home) == []


def test_another_home_s_processes_are_spared(supervised: Callable[..., Supervisor], home: Path) -> None:
    supervised(program("plain", SLEEPS))
    assert processes.of_home(home.with_name(home.name + "-other")) == []
    assert {process.pid for process in processes.of_home(home)}.isdisjoint({psutil.Process().pid})


def test_a_name_with_a_percent_sign_survives_the_configuration(supervised: Callable[..., Supervisor]) -> None:
    supervisor = supervised(program("percent", f"print('100%'); {SLEEPS}"))
    wait_until(lambda: "here" in supervisor.log("percent").read_text(), what="percent", deadline_s=20)
    assert supervisor.log("percent").read_text().startswith("100%")
