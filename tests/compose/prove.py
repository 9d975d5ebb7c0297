"""Prove docker-compose.yaml by running it: build, up, rounds, checks, down.

``python -m tests.compose.prove --rounds 4 --work FOLDER``: as root, with what podman.py names. Every image from
elsewhere is a stand-in built from packages (compose.standins.yaml); Grafana is left out.
"""

import argparse
import contextlib
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.new_env import EXAMPLE, filled
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.bootstrap import REPOSITORY, default_home, default_tools
from fogline.stack.errors import StackError
from fogline.stack.ports import free_ports
from fogline.stack.waiting import wait_until
from producer.sources.la_haute_borne import ensure_readings
from tests.compose import checks
from tests.compose.podman import Podman

PROJECT = "fogline"
FILES = [REPOSITORY / "docker-compose.yaml", Path(__file__).with_name("compose.standins.yaml")]
ONE_SHOT = {"init", "producer", "demo"}
HEALTHY_DEADLINE_S = 400
REPLAY_DEADLINE_S = 400
DEMO_DEADLINE_S = 900
PORTS = ("AIRFLOW", "SPARK", "KAFKA", "PROMETHEUS")
console = Console(width=130)


class Proof:
    """One run of the compose file."""

    def __init__(self, work: Path, n_rounds: int, profiles: Sequence[str]) -> None:
        self.work, self.n_rounds = work, n_rounds
        tools = default_tools(default_home())
        self.podman = Podman(work, tools)
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        readings = work / "readings"
        readings.mkdir(exist_ok=True)
        shutil.copy(ensure_readings(tools / "cache"), readings)
        settings = filled(EXAMPLE.read_text())
        changed = {"COMPOSE_PROFILES": ",".join(profiles), "FOGLINE_DEMO_ROUNDS": str(n_rounds)}
        changed |= {f"FOGLINE_{name}_PORT": str(port) for name, port in self.ports.items()}
        for name, value in changed.items():
            settings = re.sub(rf"^{name}=.*$", f"{name}={value}", settings, flags=re.MULTILINE)
        settings += f"\nSTANDINS={self.podman.standins()}\nREADINGS={readings}\n"
        (work / ".env").write_text(settings)

    def compose(self, *arguments: str) -> None:
        """Run docker compose with our file and the stand-ins."""
        files = [part for file in FILES for part in ("--file", str(file))]
        self.podman.compose("--env-file", str(self.work / ".env"), *files, *arguments)

    def build(self) -> None:
        """Build the image that is ours, then the stand-ins, some of which are built on it."""
        self.podman.make_bases()
        with timed("our image built"):
            self.compose("build", "init")
        with timed("stand-ins built"):
            self.compose("--profile", "monitoring", "--profile", "history", "build")

    def up(self) -> None:
        """Start everything and wait until all that stays is healthy."""
        with timed("up"):
            self.compose("up", "--detach", "--no-build")
        with timed("healthy after up"):
            wait_until(self._all_healthy, what="the services", deadline_s=HEALTHY_DEADLINE_S, every_s=2)
        with timed("replayed after that"):
            wait_until(
                lambda: self._exited("producer") == 0, what="the replay", deadline_s=REPLAY_DEADLINE_S, every_s=1
            )

    def demo(self) -> None:
        """Run the demo's rounds."""
        with timed(f"demo of {self.n_rounds} rounds"):
            self.compose("--profile", "demo", "up", "--detach", "--no-build", "--no-recreate", "demo")
            wait_until(lambda: self._exited("demo") is not None, what="the demo", deadline_s=DEMO_DEADLINE_S, every_s=1)
        console.print(self.podman.run("logs", f"{PROJECT}-demo-1"))
        if self._exited("demo") != 0:
            raise StackError("the demo failed, see above")

    def down(self) -> None:
        """Stop everything and remove its data."""
        with timed("down"):
            self.compose("--profile", "*", "down", "--volumes", "--timeout", "30")

    def run_in(self, service: str, program: str) -> str:
        """Run a Python program in a service's container and return what it prints."""
        settings = self._settings()
        login = f"{settings['POSTGRES_USER']}:{settings['POSTGRES_PASSWORD']}"
        ledger = f"FOGLINE_LEDGER_URL=postgresql+psycopg2://{login}@postgres:5432/fogline"
        return self.podman.run("exec", "--env", ledger, f"{PROJECT}-{service}-1", "python", "-c", program)

    def airflow(self) -> AirflowApi:
        """Return Airflow's API as the user of .env."""
        settings = self._settings()
        url = f"http://127.0.0.1:{self.ports['AIRFLOW']}"
        return AirflowApi(url, settings["FOGLINE_AIRFLOW_USER"], settings["FOGLINE_AIRFLOW_PASSWORD"])

    def containers(self) -> dict[str, dict[str, Any]]:
        label = f"label=com.docker.compose.project={PROJECT}"
        names = self.podman.run("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()
        return {name.removeprefix(f"{PROJECT}-").removesuffix("-1"): self.podman.inspect(name) for name in names}

    def _settings(self) -> dict[str, str]:
        return dict(re.findall(r"^(\w+)=(.*)$", (self.work / ".env").read_text(), flags=re.MULTILINE))

    def _exited(self, service: str) -> int | None:
        state = self.podman.inspect(f"{PROJECT}-{service}-1")["State"]
        return (
            None if state["Status"] in ("running", "created", "configured", "initialized") else int(state["ExitCode"])
        )

    def _all_healthy(self) -> bool:
        return not self.unhealthy()

    def unhealthy(self) -> list[str]:
        """Return the services that stay and are not healthy."""
        states = {name: found["State"] for name, found in self.containers().items() if name not in ONE_SHOT}
        return [name for name, state in states.items() if (state.get("Health") or {}).get("Status") != "healthy"]


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Tell how long something took."""
    began = time.monotonic()
    yield
    console.print(f"{what}: {time.monotonic() - began:.1f} s", style="bold")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the proof and return its exit status; afterwards nothing runs, unless it is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--work", type=Path, required=True, help="folder for what the run makes")
    parser.add_argument("--profile", action="append", default=[], help="monitoring, history; may be given again")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave it running")
    arguments = parser.parse_args(argv)
    arguments.work.mkdir(parents=True, exist_ok=True)
    proof = Proof(arguments.work, arguments.rounds, arguments.profile)
    with proof.podman.serving():
        if not arguments.no_build:
            proof.build()
        if arguments.build_only:
            return 0
        try:
            proof.up()
            proof.demo()
            checks.check(proof)
        except StackError as failure:
            console.print(f"not proven: {failure}", style="red", markup=False)
            return 1
        finally:
            checks.show_memory(proof)
            if not arguments.keep:
                proof.down()
    console.print("proven", style="green")
    return 0


if __name__ == "__main__":
    sys.exit(main())
