"""AppCDS archives, which halve the start of the broker's and Spark's Java; made once, and everything works without."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fogline.stack.bootstrap import exclusive
from fogline.stack.errors import StackError
from fogline.stack.java import Java
from fogline.stack.kafka import Kafka
from fogline.stack.ports import free_ports
from fogline.stack.spark import Spark
from fogline.stack.spark_home import spark_jars
from fogline.stack.waiting import log_tail, wait_until

RUN_DEADLINE_S = 120
WARM_UP = Path(__file__).with_name("spark_warmup.py")


class Archives:
    """The archives of one Java and one set of jars; their names change with either."""

    def __init__(self, tools: Path, java: Java, kafka_jars: list[Path], spark_connector_jars: list[Path]) -> None:
        self.folder, self.java = tools / "cds", java
        self.kafka_jars, self.connector_jars = kafka_jars, spark_connector_jars
        self.kafka = self.folder / f"kafka-{_key(java, kafka_jars)}.jsa"
        self.spark = self.folder / f"spark-{_key(java, [*spark_connector_jars, *spark_jars().glob('*.jar')])}.jsa"

    def ensure(self, console: Console) -> None:
        """Make the archives that are missing; a failure is reported and leaves its log so that it isn't tried again."""
        if all(archive.is_file() or _failure(archive).is_file() for archive in (self.kafka, self.spark)):
            return
        with exclusive(self.folder / "archives.mutex"), tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            if not self.kafka.is_file():
                try:
                    self._make(Path(scratch), console)
                except (StackError, OSError, subprocess.SubprocessError) as problem:
                    self._give_up(str(problem), console)

    def _give_up(self, problem: str, console: Console) -> None:
        for archive in (self.kafka, self.spark):
            if not archive.is_file():
                _failure(archive).write_text(problem)
                console.print(f"no AppCDS archive {archive.name}: Java starts more slowly (why: {_failure(archive)})")

    def _make(self, scratch: Path, console: Console) -> None:
        console.print("making the AppCDS archives (once)")
        port, controller_port = free_ports(2)
        kafka_archive, spark_archive = scratch / "kafka.jsa", scratch / "spark.jsa"
        kafka = Kafka(scratch / "kafka", port, controller_port, self.java, self.kafka_jars, self.kafka)
        spark = Spark(scratch / "spark", self.java, self.connector_jars, self.spark)
        kafka.prepare()
        spark.prepare(f"-XX:ArchiveClassesAtExit={spark_archive}")
        log = scratch / "kafka.log"
        with log.open("w") as output:
            broker = subprocess.Popen(
                kafka.command(f"-XX:ArchiveClassesAtExit={kafka_archive}"), stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_until(kafka.ready, what="Kafka", deadline_s=60, log=log)
            self._warm_up(spark, kafka.bootstrap_servers, scratch)
            broker.send_signal(signal.SIGTERM)
            broker.wait(timeout=RUN_DEADLINE_S)
        finally:
            broker.kill()
            broker.wait()
        for made, archive in ((kafka_archive, self.kafka), (spark_archive, self.spark)):
            if not made.is_file():
                raise StackError(f"{made.name} was not written{log_tail(log)}")
            shutil.move(made, archive)

    def _warm_up(self, spark: Spark, bootstrap_servers: str, scratch: Path) -> None:
        log = scratch / "spark.log"
        with log.open("w") as output:
            done = subprocess.run(
                spark.submit(str(WARM_UP), bootstrap_servers, str(scratch / "rows")),
                env=os.environ | spark.environment(Path(sys.executable)),
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=RUN_DEADLINE_S,
            )
        if done.returncode:
            raise StackError(f"Spark's warm-up ended with {done.returncode}{log_tail(log)}")


def _key(java: Java, jars: Sequence[Path]) -> str:
    text = "\n".join([java.version, str(java.home), *(f"{jar} {jar.stat().st_mtime_ns}" for jar in sorted(jars))])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _failure(archive: Path) -> Path:
    return archive.with_suffix(".failed")
