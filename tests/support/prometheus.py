"""A real Prometheus and what it scrapes: started on ports of the test's own, asked by its API."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from fogline.stack.waiting import log_tail, wait_until
from tests.support.debian import Program
from tests.support.stacks import REPOSITORY

HOST = "127.0.0.1"
DEPLOY = REPOSITORY / "deploy"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
START_S, SCRAPED_S = 60.0, 60.0


@contextmanager
def process(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a program until the end of the block."""
    with log.open("w") as output:
        started = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        started.terminate()
        started.wait(30)


def scraped_text(port: int, log: Path | None = None) -> str:
    """Return what a port serves, once it does."""
    found: list[str] = []

    def answers() -> bool:
        try:
            found.append(httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False, timeout=10).text)
        except httpx.TransportError:
            return False
        return True

    wait_until(answers, what=f"metrics on port {port}", deadline_s=START_S, log=log)
    return found[-1]


class Prometheus:
    """A server that runs; its API."""

    def __init__(self, port: int, log: Path) -> None:
        self.log = log
        self._client = httpx.Client(base_url=f"http://{HOST}:{port}/api/v1/", trust_env=False, timeout=30)

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer; a query with a fault fails with Prometheus' word for it."""
        answer = self._client.get(path, params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}{log_tail(self.log)}"
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression now."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def values(self, expression: str, label: str) -> dict[str, float]:
        """Return the values of an expression by one label."""
        return {one["metric"].get(label, ""): float(one["value"][1]) for one in self.query(expression)}

    def await_targets(self) -> None:
        """Wait until every target was scraped."""

        def all_up() -> bool:
            targets = self.get("targets")["activeTargets"]
            return bool(targets) and all(target["health"] == "up" for target in targets)

        wait_until(all_up, what="Prometheus' targets", deadline_s=SCRAPED_S, log=self.log)


def deployed_config(folder: Path, addresses: Mapping[str, str]) -> Path:
    """Write the deployed configuration with its targets at other addresses, scraped each second.

    A target that is not in ``addresses`` is left out.
    """
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "alerts.yml")]
    for job in config["scrape_configs"]:
        (static,) = job["static_configs"]
        static["targets"] = sorted({addresses[name] for name in static["targets"] if name in addresses})
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@contextmanager
def running(program: Program, config: Path, port: int) -> Iterator[Prometheus]:
    """Run Prometheus on a configuration."""
    folder = config.parent
    command = [str(program.path), f"--config.file={config}", f"--web.listen-address={HOST}:{port}"]
    command.append(f"--storage.tsdb.path={folder / 'data'}")
    log = folder / "prometheus.log"
    with process(command, log, program.environment):
        server = Prometheus(port, log)

        def is_ready() -> bool:
            try:
                return httpx.get(f"http://{HOST}:{port}/-/ready", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(is_ready, what="Prometheus", deadline_s=START_S, log=log)
        yield server


def dashboard_queries() -> dict[str, str]:
    """Return every query of the dashboards by dashboard, panel and letter, with Grafana's variables replaced."""
    found = {}
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = filled_in(target["expr"])
    return found


def filled_in(expression: str, rate_interval: str = "30s") -> str:
    """Replace Grafana's variables: everything is chosen."""
    for variable in ("federation", "branch", "fog"):
        expression = expression.replace(f"${variable}", ".*")
    return expression.replace("$__rate_interval", rate_interval)
