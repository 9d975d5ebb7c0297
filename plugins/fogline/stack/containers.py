"""``python -m fogline.stack.containers``: what Fogline's containers do besides running their programs.

Configuration that the launcher has too is written into the image from the launcher's own modules: it stands once.
"""

import configparser
import json
import os
import sys
from pathlib import Path

import click
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console

from fogline.command_line import OneLineErrors
from fogline.federation import federation_file, load_federation
from fogline.ledger import URL_VARIABLE
from fogline.stack.airflow import OPTIONS
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.commands import replace_process
from fogline.stack.errors import StackError
from fogline.stack.jars import ensure_jars
from fogline.stack.java import find_java
from fogline.stack.spark import ON_A_CLUSTER, Spark
from fogline.stack.spark_home import spark_home

TABLE_WIDTH = 130


class AirflowUser(BaseSettings):
    """The user of Airflow's UI and API, from FOGLINE_AIRFLOW_USER and FOGLINE_AIRFLOW_PASSWORD."""

    model_config = SettingsConfigDict(env_prefix="FOGLINE_AIRFLOW_")

    user: str
    password: SecretStr


@click.group(cls=OneLineErrors)
def main() -> None:
    """Run a step of the image's build or of a container's start."""


@main.command()
@click.option("--airflow", "airflow_home", type=click.Path(path_type=Path), envvar="AIRFLOW_HOME", required=True)
@click.option("--spark", "spark_conf", type=click.Path(path_type=Path), envvar="SPARK_CONF_DIR", required=True)
@click.option("--tools", type=click.Path(path_type=Path), envvar="FOGLINE_TOOLS", required=True)
def configure(airflow_home: Path, spark_conf: Path, tools: Path) -> None:
    """Write Airflow's and Spark's configuration into the image."""
    if os.environ.get("SPARK_HOME") != str(spark_home()):
        raise StackError(
            f"SPARK_HOME is {os.environ.get('SPARK_HOME')} and Spark lies in {spark_home()}: set it to that"
        )
    options = configparser.ConfigParser(interpolation=None)
    options.read_dict({section: {name: str(value) for name, value in own.items()} for section, own in OPTIONS.items()})
    airflow_home.mkdir(parents=True, exist_ok=True)
    with (airflow_home / "airflow.cfg").open("w") as file:
        options.write(file)
    java, console = find_java(tools), Console(stderr=True)
    spark = Spark(spark_conf.parent, java, ensure_jars("spark", tools, java, console), tools / "none.jsa", ON_A_CLUSTER)
    spark.prepare()


@main.command()
@click.option("--kafka", "bootstrap_servers", envvar="FOGLINE_KAFKA_BOOTSTRAP_SERVERS", required=True)
@click.option("--ledger", "ledger_url", envvar=URL_VARIABLE, required=True)
@click.option("--airflow-database", "airflow_url", envvar="AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", required=True)
def fill(bootstrap_servers: str, ledger_url: str, airflow_url: str) -> None:
    """Make the topics, the two databases and their tables, or bring them to this version; then end."""
    from fogline.kafka.topics import ensure_topics
    from fogline.ledger.migrate import upgrade
    from fogline.stack.postgres import ensure_database_of

    ensure_topics(bootstrap_servers)
    for url in (airflow_url, ledger_url):
        ensure_database_of(url)
    upgrade(ledger_url)
    replace_process(["airflow", "db", "migrate"])


@main.command("api-server")
@click.option("--users", type=click.Path(path_type=Path), required=True,
              envvar="AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE")  # fmt: skip
def api_server(users: Path) -> None:
    """Write the user's password where Airflow reads it, and become its API server."""
    user = AirflowUser()
    users.touch(mode=0o600)
    users.write_text(json.dumps({user.user: user.password.get_secret_value()}))
    replace_process(["airflow", "api-server"])


@main.command()
@click.option("--rounds", "n_rounds", envvar="FOGLINE_DEMO_ROUNDS", default=12, show_default=True,
              type=click.IntRange(1), help="How many to backfill.")  # fmt: skip
@click.option("--federation", "name", envvar="FOGLINE_FEDERATION", default="wind_farm", show_default=True)
@click.option("--airflow", "airflow_url", envvar="FOGLINE_AIRFLOW_URL", required=True)
@click.option("--ledger", "ledger_url", envvar=URL_VARIABLE, required=True)
def demo(n_rounds: int, name: str, airflow_url: str, ledger_url: str) -> None:
    """Initialise the federation and backfill weekly rounds; the readings have been replayed."""
    from fogline.ledger.database import Ledger
    from fogline.stack.demo import Demo

    user = AirflowUser()
    airflow = AirflowApi(airflow_url, user.user, user.password.get_secret_value())
    federation = load_federation(federation_file(name))
    Demo(federation, Ledger(ledger_url), airflow, Console(width=TABLE_WIDTH)).run(n_rounds)


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m fogline.stack.containers"))
