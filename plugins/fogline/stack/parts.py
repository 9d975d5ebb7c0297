"""The stack's parts, each made once from the settings when it is first needed."""

import functools
import os
import secrets
import shlex
import sys
from pathlib import Path

from rich.console import Console

from fogline.ledger import URL_VARIABLE
from fogline.metrics import ADDRESS_VARIABLE, PORT_VARIABLE
from fogline.stack import airflow
from fogline.stack.airflow import Airflow
from fogline.stack.bootstrap import REPOSITORY, python_path
from fogline.stack.class_data import Archives
from fogline.stack.credentials import kept
from fogline.stack.jars import ensure_jars
from fogline.stack.java import Java, find_java
from fogline.stack.kafka import Kafka
from fogline.stack.postgres import OPTIONS_OF_A_FORKING_CLIENT, USER, Postgres
from fogline.stack.programs import Program
from fogline.stack.settings import HOST, Settings
from fogline.stack.spark import Spark

AIRFLOW_DATABASE, LEDGER_DATABASE = "airflow", "fogline"
TOPIC = "sensor-data"
# One BLAS thread: the same bytes from the same readings, and no more threads than cores.
NUMERICS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Parts:
    """Kafka, Postgres, Spark and Airflow of one home, and the environment that ties them together."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self.settings, self.console = settings, console

    @functools.cached_property
    def java(self) -> Java:
        """Return Java, installed if the machine has none."""
        return find_java(self.settings.tools)

    @functools.cached_property
    def archives(self) -> Archives:
        """Return the AppCDS archives with the jars that they are made of, all fetched."""
        broker, connector = (
            ensure_jars(name, self.settings.tools, self.java, self.console) for name in ("kafka", "spark")
        )
        return Archives(self.settings.tools, self.java, broker, connector)

    @functools.cached_property
    def kafka(self) -> Kafka:
        """Return the broker."""
        settings, archives = self.settings, self.archives
        folder = settings.home / "kafka"
        return Kafka(
            folder, settings.kafka_port, settings.kafka_controller_port, self.java, archives.kafka_jars, archives.kafka
        )

    @functools.cached_property
    def spark(self) -> Spark:
        """Return Spark's configuration."""
        return Spark(self.settings.home / "spark", self.java, self.archives.connector_jars, self.archives.spark)

    @functools.cached_property
    def postgres(self) -> Postgres:
        """Return the database server."""
        password = kept(self.settings.home / "credentials" / "postgres", secrets.token_urlsafe(24))
        return Postgres(self.settings.home, self.settings.postgres_port, password)

    @functools.cached_property
    def airflow(self) -> Airflow:
        """Return Airflow."""
        return Airflow(self.settings, self.postgres.url(AIRFLOW_DATABASE))

    @property
    def ledger_url(self) -> str:
        """Return the SQLAlchemy address of the ledger."""
        return self.postgres.url(LEDGER_DATABASE)

    def environment(self) -> dict[str, str]:
        """Return the environment of the stack's processes: the caller's with everything of the stack's over it."""
        settings, python = self.settings, Path(sys.executable)
        ledger = {
            "host": HOST,
            "port": settings.postgres_port,
            "login": USER,
            "password": self.postgres.password,
            "schema": LEDGER_DATABASE,
        }
        own = {
            "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": python_path(),
            **NUMERICS,
            "FOGLINE_HOME": str(settings.home),
            "FOGLINE_TOOLS": str(settings.tools),
            "FOGLINE_FEDERATION": settings.federation,
            "FOGLINE_FEDERATIONS": str(settings.federations),
            "FOGLINE_PRODUCER_SOURCE": settings.producer_source,
            "FOGLINE_KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "FOGLINE_FOG_DATA": str(settings.home / "fogs"),
            "FOGLINE_PRODUCER_STATE": str(settings.home / "producer"),
            "FOGLINE_CACHE": str(settings.tools / "cache"),
            "FOGLINE_MODEL_STORE": (settings.home / "models").as_uri(),
            URL_VARIABLE: self.ledger_url,
            # The caller's would be taken by the first program and refused to the others; see `_metrics`.
            PORT_VARIABLE: "",
            ADDRESS_VARIABLE: HOST,
            **{variable: str(port) for variable, port in settings.ports.items()},
        }
        connections = airflow.connections(settings, ledger)
        return {**os.environ, **self.spark.environment(python), **self.airflow.environment(), **connections, **own}

    def programs(self, *, separate: bool) -> list[Program]:
        """Return the supervised programs in the order of their start.

        Parameters
        ----------
        separate
            One Spark application for each fog instead of one for all.
        """
        settings, postgres = self.settings, self.postgres
        servers = [
            Program("kafka", self.kafka.command()),
            # INT is Postgres' fast shutdown; TERM would wait for every client to leave.
            Program("postgres", postgres.command(), postgres.user, stop_signal="INT"),
            Program("spark-connect", self.spark.connect_server(settings.spark_connect_port)),
        ]
        return [*servers, *map(self._airflow, airflow.PROGRAMS), *self._fogs(separate), self._producer()]

    def _airflow(self, name: str) -> Program:
        options = {} if name == "api-server" else OPTIONS_OF_A_FORKING_CLIENT
        return Program(f"airflow-{name}", self.airflow.command(name), environment=options)

    def _producer(self) -> Program:
        main = str(REPOSITORY / "producer" / "sensor_producer.py")
        command = [sys.executable, main, *shlex.split(self.settings.producer_source), "--topic", TOPIC]
        # A replay that has nothing left to send ends at once and well; a wrong option (2) won't get better by itself.
        served = _metrics(self.settings.producer_metrics_port)
        return Program("producer", command, settle_s=0, final_exit_codes=(0, 2), environment=served)

    def _fogs(self, separate: bool) -> list[Program]:
        from fogline.federation import federation_file, load_federation

        name = self.settings.federation
        fogs = list(load_federation(federation_file(name, folder=self.settings.federations)).fogs)
        groups = {fog: [fog] for fog in fogs} if separate else {"fog": fogs}
        main = str(REPOSITORY / "spark_jobs" / "fog_node.py")
        first = self.settings.fog_metrics_port
        return [
            Program(
                group,
                self.spark.submit("--master", "local[1]", main, "--federation", name, *_options("--fog", members)),
                environment=_metrics(first and first + number),
            )
            for number, (group, members) in enumerate(groups.items())
        ]


def _metrics(port: int | None) -> dict[str, str]:
    return {PORT_VARIABLE: str(port)} if port else {}


def _options(flag: str, values: list[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]
