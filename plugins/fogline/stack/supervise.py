"""The supervisor (supervisord): its configuration, and the calls that start, stop and ask it."""

import configparser
import contextlib
import io
import os
import shlex
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from fogline.stack import processes
from fogline.stack.errors import StackError
from fogline.stack.programs import Program
from fogline.stack.settings import Settings
from fogline.stack.waiting import log_tail, wait_until

START_DEADLINE_S = 30
STOP_S = 20
STOP_ALL_S = 30
# The n-th try comes after n seconds. What somebody kills, or what waits for room on the disk, has half an hour.
N_RETRIES = 60
# So many ends in a row, each at once after the start, and a program that is waited for counts as broken.
N_ENDS_BROKEN = 4


@dataclass(frozen=True)
class ProcessState:
    """What the supervisor knows of one process.

    Attributes
    ----------
    state
        The supervisor's word for it; BACKOFF is the time between an end at once after the start and the next try.
    pid
        0 when it doesn't run.
    exit_code
        Of its last end.
    ended_at
        Unix time of its last end, in whole seconds; 0 before.
    """

    name: str
    state: str
    pid: int
    exit_code: int
    ended_at: int

    @property
    def ended_well(self) -> bool:
        """Return whether it did what it had to do and ended."""
        return self.state == "EXITED" and self.exit_code == 0


class Supervisor:
    """The supervisor of one home, reached over a Unix socket."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.socket = settings.supervisor_socket
        self.configuration = settings.home / "supervisord.conf"
        self.log_file = settings.logs / "supervisord.log"
        self._quick_ends: dict[str, set[int]] = {}

    def log(self, name: str) -> Path:
        """Return the log of a program: its output and errors together."""
        return self.settings.logs / f"{name}.log"

    def running(self) -> bool:
        """Return whether the supervisor answers."""
        try:
            self._server().getState()
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def start(self, programs: Iterable[Program], environment: dict[str, str]) -> None:
        """Write the configuration and start the supervisor with ``environment``, which all its programs inherit.

        Raises
        ------
        StackError
            When it doesn't start or doesn't answer.
        """
        self.settings.logs.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(self._render(programs))
        # A killed supervisor leaves its socket behind and would refuse to bind it again.
        self.socket.unlink(missing_ok=True)
        marked = environment | {processes.MARK: str(self.settings.home), "SPT_NOENV": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration)],
            env=marked,
            cwd=self.settings.home,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise StackError(f"the supervisor did not start: {done.stdout}{done.stderr}{log_tail(self.log_file)}")
        wait_until(self.running, what="the supervisor", deadline_s=START_DEADLINE_S, log=self.log_file)

    def start_program(self, name: str) -> bool:
        """Start a program unless it runs or has ended well (a producer that has replayed everything).

        Returns
        -------
        bool
            Whether it had to be started.
        """
        state = self.state(name)
        if state.state in {"STARTING", "RUNNING", "BACKOFF"} or state.ended_well:
            return False
        self._quick_ends.pop(name, None)
        try:
            self._server().startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            raise StackError(f"{name} could not be started: {fault.faultString}{log_tail(self.log(name))}") from None
        return True

    def stop_program(self, name: str) -> None:
        """Stop a program and wait until it has ended."""
        state = self.state(name)
        # In BACKOFF it has no process but would be started again.
        if state.pid or state.state == "BACKOFF":
            self._server().stopProcess(name, True)

    def states(self) -> list[ProcessState]:
        """Return the state of every program, in the order of their start."""
        found: Any = self._server().getAllProcessInfo()
        by_name = {one["name"]: one for one in found}
        order = configparser.RawConfigParser()
        order.read(self.configuration)
        names = [section.removeprefix("program:") for section in order.sections() if section.startswith("program:")]
        return [_state(by_name[name]) for name in names if name in by_name]

    def state(self, name: str) -> ProcessState:
        """Return the state of one program."""
        return _state(self._server().getProcessInfo(name))

    def require_alive(self, name: str) -> None:
        """Check that a program hasn't ended.

        Raises
        ------
        StackError
            With the tail of its log.
        """
        found = self.state(name)
        ends = self._quick_ends.setdefault(name, set())
        if found.state == "RUNNING":
            ends.clear()
        elif found.state == "BACKOFF":
            ends.add(found.ended_at)
        if found.state == "FATAL" or len(ends) >= N_ENDS_BROKEN:
            raise StackError(f"{name} ended at once each time that it was started{log_tail(self.log(name))}")
        if found.state == "EXITED" and not found.ended_well:
            raise StackError(f"{name} ended with exit code {found.exit_code}{log_tail(self.log(name))}")

    def stop(self, last: Iterable[str]) -> None:
        """Stop all programs at once except ``last``, then those, then the supervisor, and wait for its end."""
        server = self._server()
        own = psutil.Process(server.getPID())
        names = [state.name for state in self.states()]
        self._stop_together([name for name in names if name not in last])
        self._stop_together([name for name in names if name in last])
        server.shutdown()
        # What outlives this is the caller's to kill.
        with contextlib.suppress(psutil.TimeoutExpired):
            own.wait(timeout=STOP_ALL_S)

    def _stop_together(self, names: Sequence[str]) -> None:
        for name in names:
            # It may have ended on its own.
            with contextlib.suppress(xmlrpc.client.Fault):
                self._server().stopProcess(name, False)

        def ended() -> bool:
            return not any(state.pid for state in self.states() if state.name in names)

        with contextlib.suppress(StackError):
            wait_until(ended, what="the programs' end", deadline_s=STOP_S + 5)

    def _server(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor

    def _render(self, programs: Iterable[Program]) -> str:
        own = {
            "logfile": self.log_file,
            "pidfile": self.settings.home / "supervisord.pid",
            "childlogdir": self.settings.logs,
        }
        if os.geteuid() == 0:
            # Without it the supervisor warns that it runs as root.
            own["user"] = Path("root")
        sections: dict[str, dict[str, object]] = {
            "unix_http_server": {"file": self.socket, "chmod": "0700"},
            "supervisord": dict(own),
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
            },
        }
        for priority, program in enumerate(programs, start=1):
            sections[f"program:{program.name}"] = self._program(program, priority)
        parser = configparser.RawConfigParser()
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_dict({name: {key: _escaped(value) for key, value in one.items()} for name, one in sections.items()})
        text = io.StringIO()
        parser.write(text)
        return text.getvalue()

    def _program(self, program: Program, priority: int) -> dict[str, object]:
        described: dict[str, object] = {
            "command": shlex.join(program.command),
            "directory": "/" if program.user else self.settings.home,
            "priority": priority,
            "autostart": False,
            "autorestart": "unexpected",
            "exitcodes": ",".join(str(code) for code in program.final_exit_codes),
            "startsecs": program.settle_s,
            "startretries": N_RETRIES,
            "stopsignal": program.stop_signal,
            "stopwaitsecs": STOP_S,
            "stopasgroup": True,
            "killasgroup": True,
            "redirect_stderr": True,
            "stdout_logfile": self.log(program.name),
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": 2,
        }
        if program.environment:
            described["environment"] = ",".join(f'{name}="{value}"' for name, value in program.environment.items())
        return described | ({"user": program.user} if program.user else {})


def _state(found: Any) -> ProcessState:
    return ProcessState(found["name"], found["statename"], found["pid"], found["exitstatus"], found["stop"])


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")
