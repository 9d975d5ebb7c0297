"""Brings the stack up and down: what starts after what, and what is waited for."""

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console

from fogline.stack import processes
from fogline.stack.bootstrap import exclusive
from fogline.stack.errors import StackError
from fogline.stack.parts import AIRFLOW_DATABASE, LEDGER_DATABASE, Parts
from fogline.stack.ports import require_free
from fogline.stack.readiness import Readiness
from fogline.stack.settings import Settings
from fogline.stack.supervise import Supervisor

SERVERS = ("kafka", "postgres")
# It needs neither of them, so it starts beside them.
EARLY = (*SERVERS, "spark-connect")
PRODUCER = "producer"


class Stack:
    """The local stack of one home.

    Parameters
    ----------
    settings
        Where it lies and its ports; by default from the environment.
    console
        Where progress is told.
    """

    def __init__(self, settings: Settings | None = None, console: Console | None = None) -> None:
        self.settings = settings or Settings()
        self.console = console or Console(stderr=True)
        self.parts = Parts(self.settings, self.console)
        self.supervisor = Supervisor(self.settings)
        self.ready = Readiness(self.parts, self.supervisor)
        self._record = self.settings.home / "running.json"
        self._mutex = self.settings.home / "stack.mutex"

    def environment(self) -> dict[str, str]:
        """Return the environment in which the stack's processes run, and in which its clients find it."""
        return self.parts.environment()

    def up(self, *, separate: bool = False, producer: bool = True) -> bool:
        """Start everything that doesn't run and return when it is ready; what had run before goes on with its data.

        Parameters
        ----------
        separate
            One Spark application for each fog instead of one for all.
        producer
            Also replay the federation's readings.

        Returns
        -------
        bool
            Whether anything had to be started.

        Raises
        ------
        StackError
            When a port is taken or a part doesn't become ready; then everything is stopped again and its logs are kept.
        """
        with exclusive(self._mutex):
            if self.supervisor.running():
                self._require_same(separate)
                return self._start_all(producer)
            try:
                self._begin(separate)
                return self._start_all(producer)
            except BaseException:
                self._stop()
                raise

    def start_servers(self, *names: str) -> None:
        """Start only the named of :data:`SERVERS`, for what needs no more; return when they are ready."""
        with exclusive(self._mutex):
            if not self.supervisor.running():
                self._begin(separate=False)
            self._start(names)
            self.ready.servers(names)

    def down(self) -> bool:
        """Stop everything and return whether anything ran.

        Raises
        ------
        StackError
            When a process can't be ended.
        """
        with exclusive(self._mutex):
            return self._stop()

    def _stop(self) -> bool:
        ran = self.supervisor.running()
        if ran:
            self.supervisor.stop(last=SERVERS)
        stragglers = processes.of_home(self.settings.home)
        alive = processes.end(stragglers)
        if alive:
            listed = ", ".join(f"{process.pid} ({process.name()})" for process in alive)
            raise StackError(f"processes {listed} could not be ended: end them by hand")
        return ran or bool(stragglers)

    def _begin(self, separate: bool) -> None:
        """Prepare every part and start the supervisor, which starts nothing yet."""
        # After a crash of the supervisor alone its programs live on without it.
        processes.end(processes.of_home(self.settings.home))
        require_free(self.settings.ports)
        parts = self.parts
        with self._step("tools"):
            parts.archives.ensure(self.console)
        with self._step("data folders"):
            parts.kafka.prepare()
            parts.postgres.prepare()
            parts.spark.prepare()
            parts.airflow.prepare()
        self._record.write_text(json.dumps(self._asked(separate)))
        self.supervisor.start(parts.programs(separate=separate), self.environment())

    def _start_all(self, producer: bool) -> bool:
        names = [state.name for state in self.supervisor.states()]
        started = self._start(name for name in names if name in EARLY)
        with self._step("Kafka and Postgres"):
            self.ready.servers(SERVERS)
        with self._step("topics, ledger and Airflow's database"):
            self._fill()
        rest = [name for name in names if name not in SERVERS and (producer or name != PRODUCER)]
        started += self._start(rest)
        with self._step("Spark Connect and Airflow"):
            self.ready.listeners()
        with self._step("Airflow's health and DAGs"):
            self.ready.airflow()
        self.ready.settled(rest)
        return bool(started)

    def _fill(self) -> None:
        from fogline.kafka.topics import ensure_topics
        from fogline.ledger.migrate import upgrade

        ensure_topics(self.settings.bootstrap_servers)
        for database in (AIRFLOW_DATABASE, LEDGER_DATABASE):
            self.parts.postgres.ensure_database(database)
        upgrade(self.parts.ledger_url)
        self.parts.airflow.migrate(self.environment())

    def _start(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self.supervisor.start_program(name)]

    def running_settings(self) -> Settings:
        """Return the settings that the running stack was started with."""
        return Settings.model_validate(json.loads(self._record.read_text())["settings"])

    def _asked(self, separate: bool) -> dict[str, Any]:
        return {"settings": self.settings.model_dump(mode="json"), "separate": separate}

    def _require_same(self, separate: bool) -> None:
        running, asked = json.loads(self._record.read_text()), self._asked(separate)
        pairs = [(running["separate"], asked["separate"], "--separate")]
        pairs += [
            (running["settings"][name], value, f"FOGLINE_{name.upper()}") for name, value in asked["settings"].items()
        ]
        other = [f"{name} is {had}, not {wanted}" for had, wanted, name in pairs if had != wanted]
        if other:
            raise StackError(
                f"the stack is up with other settings than asked for ({'; '.join(other)}): ./fogline down first"
            )

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        with self.console.status(title):
            yield
        self.console.print(f"{title}: {time.monotonic() - began:.1f} s")
