"""A real Cassandra of one node, from the jars that `cassandra-jars.lock` names."""

import os
import subprocess
from pathlib import Path

import yaml
from rich.console import Console

from fogline.stack.jars import ensure_jars
from fogline.stack.java import find_java
from fogline.stack.ports import free_ports, listening
from fogline.stack.settings import HOST
from fogline.stack.waiting import wait_until

START_DEADLINE_S = 120
LOGIN = PASSWORD = "cassandra"
# Said at the first start, when the login can be used; the log goes on with the data.
ROLE_CREATED = "Created default superuser role"
LOGBACK = """<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%d %-5level %logger{0} %msg%n</pattern></encoder></appender>
<root level="INFO"><appender-ref ref="OUT"/></root></configuration>
"""
OPTIONS = [
    "-Xms384m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dcassandra-foreground=yes",
    # One node alone has nobody to wait for.
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=100",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra.initial_token=0",
    "-Dcassandra.unsafesystem=true",
]
# What Cassandra's own jvm17-server.options open.
EXPORTED = (
    "java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch "
    "java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server "
    "java.sql/java.sql java.base/java.lang.ref jdk.unsupported/sun.misc"
)
OPENED = (
    "java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref "
    "java.base/jdk.internal.reflect java.base/jdk.internal.math java.base/jdk.internal.module "
    "java.base/jdk.internal.util.jar jdk.management/com.sun.management.internal java.base/sun.nio.ch "
    "java.base/java.io java.base/java.lang java.base/java.lang.reflect java.base/java.util "
    "java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/java.nio java.base/java.net "
    "java.rmi/sun.rmi.transport.tcp"
)


class Cassandra:
    """A node whose data and configuration lie in ``folder``."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self._tools = folder, tools
        self.port, self._storage_port, self._jmx_port = free_ports(3)
        self.log = folder / "cassandra.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the node with the data that it has, and return when clients can log in."""
        settings = self.folder / "cassandra.yaml"
        settings.write_text(yaml.safe_dump(self.settings()))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command(settings), stdout=log, stderr=log, cwd=self.folder)
        wait_until(self._is_ready, what="Cassandra", deadline_s=START_DEADLINE_S, log=self.log)

    def stop(self) -> None:
        """Kill the node: its data are as a crash leaves them."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log.read_text()[-2000:]
        return listening(self.port) and ROLE_CREATED in self.log.read_text()

    def settings(self) -> dict[str, object]:
        """Return its configuration."""
        seeds = [{"seeds": f"{HOST}:{self._storage_port}"}]
        provider = "org.apache.cassandra.locator.SimpleSeedProvider"
        folders = ("commitlog", "saved_caches", "hints", "cdc_raw")
        return {
            "cluster_name": "test",
            "num_tokens": 1,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "1000ms",
            "endpoint_snitch": "SimpleSnitch",
            "listen_address": HOST,
            "rpc_address": HOST,
            "storage_port": self._storage_port,
            "native_transport_port": self.port,
            "authenticator": "PasswordAuthenticator",
            "authorizer": "CassandraAuthorizer",
            "auto_snapshot": False,
            "seed_provider": [{"class_name": provider, "parameters": seeds}],
            "data_file_directories": [str(self.folder / "data")],
            **{f"{name}_directory": str(self.folder / name) for name in folders},
        }

    def command(self, settings: Path) -> list[str]:
        """Return what starts it; its jars are fetched."""
        logback = self.folder / "logback.xml"
        logback.write_text(LOGBACK)
        java = find_java(self._tools)
        jars = ensure_jars("cassandra", self._tools, java, Console(stderr=True), Path(__file__).parent)
        exports = [f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTED.split()]
        opens = [f"--add-opens={name}=ALL-UNNAMED" for name in OPENED.split()]
        return [
            java.executable,
            *OPTIONS,
            *exports,
            *opens,
            "-Djdk.attach.allowAttachSelf=true",
            f"-Dcassandra.config={settings.as_uri()}",
            f"-Dcassandra.storagedir={self.folder}",
            f"-Dcassandra.jmx.local.port={self._jmx_port}",
            f"-Dlogback.configurationFile={logback}",
            "-cp",
            os.pathsep.join(map(str, jars)),
            "org.apache.cassandra.service.CassandraDaemon",
        ]
