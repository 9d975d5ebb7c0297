"""Podman as the engine of the real ``docker compose``, on a machine that reaches package registries alone.

Needs, as root: ``apt-get install podman runc netavark aardvark-dns debootstrap`` and ``go``.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fogline.stack.errors import StackError
from fogline.stack.waiting import wait_until
from tests.support.go import built

NEEDED = ("podman", "runc", "debootstrap", "go")
COMPOSE = ("github.com/docker/compose/v2/cmd", "v2.40.3")
STATSD_EXPORTER = ("github.com/prometheus/statsd_exporter", "v0.28.0")
STANDINS = Path(__file__).parent / "standins"
SUPPORT = Path(__file__).parents[1] / "support"
DEBIAN = "localhost/fogline-standin/debian:bookworm"
PYTHON = "localhost/fogline-standin/python:3.12"
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
[network]
network_backend = "netavark"
"""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
HEALTH_EVERY_S = 10


class Podman:
    """Podman with a configuration of its own in ``work``, and Docker's compose before it."""

    def __init__(self, work: Path, tools: Path) -> None:
        lacking = [name for name in NEEDED if not shutil.which(name)]
        if lacking:
            raise StackError(f"{', '.join(lacking)} not found: see the first lines of {Path(__file__).name}")
        self.work, self.tools = work, tools
        configuration = work / "containers.conf"
        configuration.write_text(CONFIGURATION)
        self.socket = work / "podman.sock"
        self.environment = {
            **os.environ,
            "CONTAINERS_CONF": str(configuration),
            "DOCKER_HOST": f"unix://{self.socket}",
            # Podman speaks the older build protocol only.
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_BAKE": "false",
        }
        self._compose = built(tools, *COMPOSE, COMPOSE[0])

    def run(self, *arguments: str, **options: Any) -> str:
        """Run podman and return what it says."""
        return self._run(["podman", *arguments], **options)

    def compose(self, *arguments: str, **options: Any) -> str:
        """Run docker compose; what it says is shown."""
        return self._run([str(self._compose), *arguments], stdout=None, stderr=None, **options)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what podman knows of a container."""
        found: dict[str, Any] = json.loads(self.run("inspect", container))[0]
        return found

    def _run(self, command: list[str], **options: Any) -> str:
        capture = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        done = subprocess.run(command, env=self.environment, text=True, **capture)
        if done.returncode:
            raise StackError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr or 'see above'}")
        return done.stdout or ""

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Serve Docker's API, and check the containers' health as a daemon would (podman leaves that to systemd)."""
        self.socket.unlink(missing_ok=True)
        command = ["podman", "system", "service", "--time=0", f"unix://{self.socket}"]
        with (self.work / "podman.log").open("w") as log:
            service = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        ended = threading.Event()
        checker = threading.Thread(target=self._check_health, args=(ended,))
        try:
            wait_until(self.socket.exists, what="podman", deadline_s=30)
            checker.start()
            yield
        finally:
            ended.set()
            if checker.is_alive():
                checker.join()
            service.terminate()
            service.wait()

    def _check_health(self, ended: threading.Event) -> None:
        while not ended.wait(HEALTH_EVERY_S):
            running = self.run("ps", "--filter", "label=com.docker.compose.project=fogline", "--format", "{{.Names}}")
            for name in running.split():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run(
                        ["podman", "healthcheck", "run", name], env=self.environment, capture_output=True, timeout=60
                    )

    def make_bases(self) -> None:
        """Make the images that the stand-ins are built on, where they are not there yet."""
        if not self._has(DEBIAN):
            root = self.work / "debian"
            subprocess.run(
                ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root], check=True
            )
            archive = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
            self.run("import", "-", DEBIAN, stdin=archive.stdout)
            shutil.rmtree(root)
        if not self._has(PYTHON):
            self._make_python()

    def standins(self) -> Path:
        """Return the folder of the stand-ins' build contexts, with what was made here laid into it."""
        contexts = self.work / "standins"
        shutil.copytree(STANDINS, contexts, dirs_exist_ok=True)
        for part in ("cassandra.py", "cassandra-jars.lock"):
            shutil.copy(SUPPORT / part, contexts / "cassandra")
        shutil.copy(built(self.tools, *STATSD_EXPORTER, STATSD_EXPORTER[0]), contexts / "statsd" / "statsd_exporter")
        return contexts

    def _has(self, image: str) -> bool:
        return bool(self.run("images", "--quiet", image).strip())

    def _make_python(self) -> None:
        context = self.work / "python"
        shutil.copytree(STANDINS / "python", context, dirs_exist_ok=True)
        prefix = Path(_python_prefix())
        skipped = shutil.ignore_patterns("__pycache__", "test", "share", "idlelib", "*.a", "site-packages")
        shutil.copytree(prefix, context / "python", symlinks=True, ignore=skipped, dirs_exist_ok=True)
        packages = "lib/python3.12/site-packages"
        for part in (prefix / packages).glob("pip*"):
            shutil.copytree(part, context / "python" / packages / part.name, dirs_exist_ok=True)
        # A company's proxy may have a certificate of its own.
        known = set(PEM.findall(self.run("run", "--rm", DEBIAN, "cat", str(CERTIFICATES))))
        (context / "certificates").mkdir(exist_ok=True)
        for number, certificate in enumerate(sorted(set(PEM.findall(CERTIFICATES.read_text())) - known)):
            (context / "certificates" / f"machine-{number}.crt").write_text(certificate + "\n")
        self.run("build", "--network=host", "-t", PYTHON, str(context))
        shutil.rmtree(context)


def _python_prefix() -> str:
    """Return the prefix of a Python 3.12 that can be copied as a whole."""
    found = [sys.executable, *(path for path in [shutil.which("python3.12")] if path)]
    for python in found:
        ask = "import sys; print(sys.base_prefix if sys.version_info[:2] == (3, 12) else '')"
        prefix = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
        if prefix not in ("", "/usr"):
            return prefix
    raise StackError("no Python 3.12 with a prefix of its own was found: put one on the PATH as python3.12")
