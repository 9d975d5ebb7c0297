"""A stack on other kinds of servers: a broker kept by ZooKeeper, a standalone Spark cluster that shares no folder."""

import contextlib
import functools
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from fogline.stack.jars import ensure_jars
from fogline.stack.java import Java
from fogline.stack.kafka import Kafka
from fogline.stack.parts import Parts
from fogline.stack.ports import free_ports, listening
from fogline.stack.programs import Program
from fogline.stack.readiness import START_DEADLINE_S, Readiness
from fogline.stack.settings import HOST, Settings
from fogline.stack.spark import Spark
from fogline.stack.spark_home import spark_home
from fogline.stack.stack import Stack
from fogline.stack.waiting import log_tail, wait_until
from tests.support.stacks import fresh_home, settings_for

DEADLINE_S = 60
ZOOKEEPER = """\
dataDir={data}
clientPort={port}
clientPortAddress={host}
admin.enableServer=false
4lw.commands.whitelist=dump,srvr
"""
BROKER = """\
broker.id=0
zookeeper.connect={host}:{zookeeper_port}
listeners=PLAINTEXT://{host}:{port}
advertised.listeners=PLAINTEXT://{host}:{port}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
"""


class ZooKeeperKafka(Kafka):
    """A Kafka 3.9 broker that keeps its metadata in a ZooKeeper, which must run before it."""

    def __init__(self, folder: Path, port: int, java: Java, jars: list[Path]) -> None:
        (self.zookeeper_port,) = free_ports(1)
        super().__init__(folder, port, self.zookeeper_port, java, jars, archive=folder / "none.jsa")

    def prepare(self) -> None:
        """Write the configuration; this kind needs no formatting."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        values = {"host": HOST, "port": self.port, "zookeeper_port": self.zookeeper_port, "data": data}
        self._properties.write_text(BROKER.format(**values))

    @contextlib.contextmanager
    def zookeeper(self) -> Iterator[None]:
        """Run the ZooKeeper."""
        folder = self.folder.parent / "zookeeper"
        folder.mkdir(parents=True)
        file = folder / "zoo.cfg"
        file.write_text(ZOOKEEPER.format(data=folder / "data", port=self.zookeeper_port, host=HOST))
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        with running(self._java("-Dzookeeper.jmx.log4j.disable=true", main, str(file)), folder / "log"):
            wait_until(lambda: listening(self.zookeeper_port), what="ZooKeeper", deadline_s=DEADLINE_S)
            yield

    def ask_zookeeper(self, word: str) -> str:
        """Return the ZooKeeper's answer to one of its four-letter words."""
        with socket.create_connection((HOST, self.zookeeper_port), timeout=10) as connection:
            connection.sendall(word.encode())
            return b"".join(iter(functools.partial(connection.recv, 65536), b"")).decode()


# A cluster knows nothing of this machine's stack, nor of its Spark's configuration and log level.
INHERITED_NOT = ("FOGLINE", "PYTHONPATH", "SPARK")


class StandaloneSpark:
    """A master and one worker that knows nothing of Fogline and works in a folder of its own.

    Attributes
    ----------
    work
        Where the worker keeps what applications send and say.
    """

    def __init__(self, folder: Path, java: Java) -> None:
        self.folder, self.work = folder, folder / "work"
        self.port, self.web_port, self.worker_web_port = free_ports(3)
        self.master = f"spark://{HOST}:{self.port}"
        self._java = java

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Run both until the end of the block."""
        self.work.mkdir(parents=True)
        master = ["org.apache.spark.deploy.master.Master", "--host", HOST, "--port", str(self.port)]
        worker = ["org.apache.spark.deploy.worker.Worker", "--host", HOST, "--cores", "2", "--memory", "1g"]
        worker += ["--work-dir", str(self.work), "--webui-port", str(self.worker_web_port), self.master]
        with (
            running(self._class(*master, "--webui-port", str(self.web_port)), self.folder / "master.log", self._env()),
            running(self._class(*worker), self.folder / "worker.log", self._env(), cwd=self.work),
        ):
            yield

    def await_worker(self) -> None:
        """Return when the worker has found its master."""
        log = self.folder / "worker.log"
        wait_until(self._has_worker, what="the worker", deadline_s=DEADLINE_S, log=log, every_s=0.3)

    def state(self) -> dict[str, Any]:
        """Return what the master's JSON API says."""
        return dict(self._ask().raise_for_status().json())

    def _has_worker(self) -> bool:
        # It listens before it knows its pages.
        if not listening(self.web_port) or self._ask().status_code != httpx.codes.OK:
            return False
        return any(one["state"] == "ALIVE" for one in self.state()["workers"])

    def _ask(self) -> httpx.Response:
        return httpx.get(f"http://{HOST}:{self.web_port}/json/", trust_env=False, timeout=10)

    def _class(self, *arguments: str) -> list[str]:
        return [str(spark_home() / "bin" / "spark-class"), *arguments]

    def _env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(INHERITED_NOT)}
        own = {"JAVA_HOME": str(self._java.home), "SPARK_HOME": str(spark_home()), "SPARK_LOCAL_IP": HOST}
        return {**kept, **own, "SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC"}


class ShippingSpark(Spark):
    """The stack's configuration, with the connector's jars sent to executors on other machines."""

    def prepare(self, *java_options: str) -> None:
        """Write the configuration."""
        super().prepare(*java_options)
        with (self.folder / "conf" / "spark-defaults.conf").open("a") as defaults:
            defaults.write(f"spark.jars {','.join(str(jar) for jar in self.jars)}\nspark.executor.memory 512m\n")


class OtherParts(Parts):
    """The stack's parts with another broker and another cluster, and without the Spark Connect server."""

    @functools.cached_property
    def kafka(self) -> ZooKeeperKafka:  # type: ignore[override]
        jars = ensure_jars("zookeeper-kafka", self.settings.tools, self.java, self.console, Path(__file__).parent)
        return ZooKeeperKafka(self.settings.home / "kafka", self.settings.kafka_port, self.java, jars)

    @functools.cached_property
    def cluster(self) -> StandaloneSpark:
        return StandaloneSpark(self.settings.home / "cluster", self.java)

    @functools.cached_property
    def spark(self) -> ShippingSpark:
        archives = self.archives
        return ShippingSpark(self.settings.home / "spark", self.java, archives.connector_jars, archives.spark)

    def environment(self) -> dict[str, str]:
        connection = {"conn_type": "spark", "host": f"spark://{HOST}", "port": self.cluster.port}
        return {**super().environment(), "AIRFLOW_CONN_FOGLINE_SPARK": json.dumps(connection)}

    def programs(self, *, separate: bool) -> list[Program]:
        return [one for one in super().programs(separate=separate) if one.name != "spark-connect"]


class OtherReadiness(Readiness):
    """The waits of a stack without a Spark Connect server."""

    def listeners(self) -> None:
        """Wait until Airflow's API server takes connections."""
        self._program("airflow-api-server", lambda: "api-server" not in self._api.unhealthy(), START_DEADLINE_S)


class OtherStack(Stack):
    """A stack of `OtherParts`."""

    parts: OtherParts

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.parts = OtherParts(settings, self.console)
        self.ready = OtherReadiness(self.parts, self.supervisor)


@contextlib.contextmanager
def other_stack(**changes: Any) -> Iterator[OtherStack]:
    """Give a stack that is up, beside its ZooKeeper and its Spark cluster."""
    with fresh_home() as home:
        stack = OtherStack(settings_for(home, **changes))
        with stack.parts.kafka.zookeeper(), stack.parts.cluster.run():
            try:
                stack.up(producer=False)
                stack.parts.cluster.await_worker()
                yield stack
            finally:
                stack.down()


@contextlib.contextmanager
def running(
    command: list[str], log: Path, environment: dict[str, str] | None = None, cwd: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server until the end of the block, then end it."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=cwd)
    try:
        yield process
        assert process.poll() is None, f"{command[0]} ended{log_tail(log)}"
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        finally:
            process.kill()
            process.wait()
