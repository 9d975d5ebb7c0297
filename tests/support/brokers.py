"""A broker of a test's own, which can be killed and come back with what it had."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from fogline.stack.kafka import Kafka
from fogline.stack.ports import free_ports
from fogline.stack.waiting import wait_until

DEADLINE_S = 60.0


class OwnBroker:
    """A broker with its data in ``folder``, from the same jars as another one."""

    def __init__(self, folder: Path, like: Kafka) -> None:
        folder.mkdir()
        self.kafka = Kafka(folder, *free_ports(2), like.java, like.jars, like.archive)
        self.kafka.prepare()
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self.kafka.command(), stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.kafka.ready, what="the test's own broker", deadline_s=DEADLINE_S, log=self._log)

    def kill(self) -> None:
        """Kill it where it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def own_broker(folder: Path, like: Kafka) -> Iterator[OwnBroker]:
    """Run a broker until the end of the block."""
    broker = OwnBroker(folder, like)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
