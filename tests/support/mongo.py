"""A server that speaks MongoDB's protocol: FerretDB, where no mongod can be had."""

import subprocess
from pathlib import Path

from fogline.stack.ports import free_ports, listening
from fogline.stack.settings import HOST
from fogline.stack.waiting import wait_until
from tests.support.go import built_source

SOURCE = Path(__file__).with_name("ferretdb")


class Mongo:
    """A server whose data lie in ``folder``."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self._program = folder, built_source(tools, SOURCE)
        (self.port,) = free_ports(1)
        self._log = folder / "ferretdb.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server with the data that it has, and return when it listens."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        with self._log.open("ab") as log:
            command = [str(self._program), f"{HOST}:{self.port}", str(data)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        wait_until(lambda: listening(self.port), what="FerretDB", deadline_s=30, log=self._log)

    def stop(self) -> None:
        """Kill the server."""
        if self._process:
            self._process.kill()
            self._process.wait()
