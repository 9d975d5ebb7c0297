"""The image has the launcher's own configuration, and what its containers run says what is wrong."""

import configparser
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from fogline.stack import containers, probe
from fogline.stack.airflow import OPTIONS
from fogline.stack.bootstrap import default_home, default_tools
from fogline.stack.containers import main
from fogline.stack.postgres import ensure_database_of
from fogline.stack.spark import JAVA_OPTIONS
from fogline.stack.spark_home import spark_home


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the environment variables of an image's build that point into it."""
    monkeypatch.setenv("SPARK_HOME", str(spark_home()))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path / "spark" / "conf"))
    monkeypatch.setenv("FOGLINE_TOOLS", str(default_tools(default_home())))
    return tmp_path


def test_airflow_in_the_image_has_the_launchers_options(image: Path) -> None:
    done = CliRunner().invoke(main, ["configure"])
    assert done.exit_code == 0, done.output
    written = configparser.ConfigParser(interpolation=None)
    written.read(image / "airflow" / "airflow.cfg")
    options = {section: {name: str(value) for name, value in own.items()} for section, own in OPTIONS.items()}
    assert {section: dict(written[section]) for section in written.sections()} == options


def test_driver_and_executors_in_the_image_have_the_connector_and_the_launchers_java_options(image: Path) -> None:
    assert CliRunner().invoke(main, ["configure"]).exit_code == 0
    lines = (image / "spark" / "conf" / "spark-defaults.conf").read_text().splitlines()
    settings = dict(line.split(" ", 1) for line in lines)
    for one in ("driver", "executor"):
        assert "spark-sql-kafka-0-10" in settings[f"spark.{one}.extraClassPath"]
        assert settings[f"spark.{one}.defaultJavaOptions"].startswith(" ".join(JAVA_OPTIONS))
    # Its executors must reach the driver.
    assert not any("127.0.0.1" in value for value in settings.values())
    assert "spark.master" not in settings


def test_an_image_whose_spark_lies_elsewhere_is_refused(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", "/elsewhere")
    done = CliRunner().invoke(main, ["configure"])
    assert done.exit_code == 1
    assert f"SPARK_HOME is /elsewhere and Spark lies in {spark_home()}" in done.output


def test_the_api_server_finds_the_users_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(containers, "replace_process", became.append)
    users = tmp_path / "users.json"
    settings = {"FOGLINE_AIRFLOW_USER": "ada", "FOGLINE_AIRFLOW_PASSWORD": "made-up"}
    done = CliRunner().invoke(main, ["api-server", "--users", str(users)], env=settings)
    assert done.exit_code == 0, done.output
    assert json.loads(users.read_text()) == {"ada": "made-up"}
    assert users.stat().st_mode & 0o777 == 0o600
    assert became == [["airflow", "api-server"]]


def test_the_databases_are_made_once_on_the_server_that_their_address_names(postgres: str) -> None:
    url = postgres.rsplit("/", 1)[0] + "/made_for_containers"
    ensure_database_of(url)
    ensure_database_of(url)


@pytest.fixture
def health() -> Iterator[str]:
    """The address of a server that tells Airflow's health."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"scheduler": {"status": "healthy"}, "triggerer": {"status": null}}')

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/health"
    server.shutdown()
    server.server_close()


def test_a_health_check_tells_what_is_not_healthy(health: str) -> None:
    assert probe.main(health) is None
    assert probe.main(health, "scheduler") is None
    assert probe.main(health, "triggerer") == f"{health}: triggerer is None"
    assert probe.main(health, "dag_processor") == f"{health}: dag_processor is None"
    refused = probe.main("http://127.0.0.1:1/metrics")
    assert refused is not None and refused.startswith("http://127.0.0.1:1/metrics: ")
