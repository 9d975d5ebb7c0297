"""The broker: one Kafka node in KRaft mode."""

import base64
import shutil
import subprocess
import uuid
from pathlib import Path

from fogline.stack.errors import StackError
from fogline.stack.java import Java
from fogline.stack.ports import listening
from fogline.stack.settings import HOST

OPTIONS = [
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss",
]
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# The default of 128 MiB is half of this broker's heap.
log.cleaner.dedupe.buffer.size=16777216
"""


class Kafka:
    """A broker whose data and configuration lie in ``folder``.

    Parameters
    ----------
    folder
        Its own folder.
    port, controller_port
        Where it listens on the loopback address.
    jars
        The broker's jars.
    archive
        An AppCDS archive of exactly these jars; used if it exists.
    """

    def __init__(
        self, folder: Path, port: int, controller_port: int, java: Java, jars: list[Path], archive: Path
    ) -> None:
        self.folder, self.port, self.controller_port = folder, port, controller_port
        self.java, self.jars, self.archive = java, jars, archive

    @property
    def bootstrap_servers(self) -> str:
        """Return the address for clients."""
        return f"{HOST}:{self.port}"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def command(self, *options: str) -> list[str]:
        """Return the command of the server, with more options for its Java."""
        return self._java(*options, "kafka.Kafka", str(self._properties))

    def prepare(self) -> None:
        """Write the configuration and format the data folder if it is new.

        Raises
        ------
        StackError
            When formatting fails; the message has what Kafka's tool said.
        """
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            PROPERTIES.format(host=HOST, port=self.port, controller_port=self.controller_port, data=data)
        )
        if (data / "meta.properties").is_file():
            return
        # The tool refuses an identity that begins with a dash, as one in 64 would.
        cluster = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(data)
            raise StackError(f"Kafka's data folder {data} could not be formatted: {done.stdout}{done.stderr}")

    def ready(self) -> bool:
        """Return whether the broker answers a metadata request."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        if not listening(self.port):
            return False
        try:
            AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0}).list_topics(timeout=2)
        except KafkaException:
            return False
        return True

    def _java(self, *arguments: str) -> list[str]:
        shared = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive.is_file() else []
        # AppCDS wants the same class path in the same order, so it is spelt out and not a wildcard.
        class_path = ":".join(str(jar) for jar in sorted(self.jars))
        return [self.java.executable, *OPTIONS, *shared, "-cp", class_path, *arguments]
