"""Spark's configuration for this machine: small heaps, the connector's jars, quiet logs."""

from pathlib import Path

from fogline.stack.java import Java
from fogline.stack.settings import HOST
from fogline.stack.spark_home import spark_home, spark_jars

# Measured: the first compiler alone saves 55 MiB a fog and costs 40 % of its ingest, the right trade on one machine.
# A small heap that shrinks again: Java would begin with a 64th of the machine's memory and keep what it once had.
HEAP = ["-Xms64m", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=25", "-XX:-ShrinkHeapInSteps"]
JAVA_OPTIONS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", *HEAP]
DEFAULTS = """\
spark.driver.memory 512m
spark.driver.extraClassPath {class_path}
spark.driver.defaultJavaOptions {java_options}
spark.ui.enabled false
spark.sql.warehouse.dir {scratch}/warehouse
"""
ON_THIS_MACHINE = f"""\
spark.master local[2]
spark.driver.host {HOST}
spark.driver.bindAddress {HOST}
"""
# A round's aggregation takes one core of each of two workers; both executors find the connector where the driver does.
ON_A_CLUSTER = """\
spark.cores.max 2
spark.executor.cores 1
spark.executor.memory 512m
spark.executor.extraClassPath {class_path}
spark.executor.defaultJavaOptions {java_options}
"""
LOGGING = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
# Native Hadoop is absent from the wheel, and nothing here needs it.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
# While a fog catches up each batch takes longer than its trigger; that is no news.
logger.trigger.name = org.apache.spark.sql.execution.streaming.runtime.ProcessingTimeExecutor
logger.trigger.level = error
"""
# A round's query reads some blocks by offsets of its own: compiling it takes longer than running it. Measured: 0.2 s
# with generated code, 0.11 s without.
INTERPRETED = ("spark.sql.codegen.wholeStage=false", "spark.sql.codegen.factoryMode=NO_CODEGEN")
CONNECT_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"


class Spark:
    """Spark's configuration folder.

    Parameters
    ----------
    folder
        Where the configuration and scratch files lie.
    jars
        The Kafka connector's jars.
    archive
        An AppCDS archive of the class path; used if it exists.
    where
        Spark's defaults beside :data:`DEFAULTS`: :data:`ON_THIS_MACHINE` or :data:`ON_A_CLUSTER`.
    """

    def __init__(self, folder: Path, java: Java, jars: list[Path], archive: Path, where: str = ON_THIS_MACHINE) -> None:
        self.folder, self.java, self.jars, self.archive, self.where = folder, java, jars, archive, where

    def prepare(self, *java_options: str) -> None:
        """Write the configuration, with more options for the driver's Java."""
        conf, scratch = self.folder / "conf", self.folder / "scratch"
        conf.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
        logging = conf / "log4j2.properties"
        logging.write_text(LOGGING)
        shared = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive.is_file() else []
        options = [*JAVA_OPTIONS, *shared, f"-Dlog4j2.configurationFile={logging.as_uri()}", *java_options]
        # Spark's own jars are named too because it puts this folder of ours before them, and AppCDS refuses
        # an archive with a class that comes after a folder that isn't empty.
        class_path = ":".join([*(str(jar) for jar in sorted(self.jars)), f"{spark_jars()}/*"])
        (conf / "spark-defaults.conf").write_text(
            (DEFAULTS + self.where).format(class_path=class_path, java_options=" ".join(options), scratch=scratch)
        )

    def environment(self, python: Path) -> dict[str, str]:
        """Return the variables that make ``spark-submit`` and ``pyspark`` use this configuration and ``python``."""
        return {
            "JAVA_HOME": str(self.java.home),
            "SPARK_HOME": str(spark_home()),
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_LOCAL_DIRS": str(self.folder / "scratch"),
            "PYSPARK_PYTHON": str(python),
            "PYSPARK_DRIVER_PYTHON": str(python),
        }

    def submit(self, *arguments: str) -> list[str]:
        """Return a ``spark-submit`` command."""
        return [str(spark_home() / "bin" / "spark-submit"), *arguments]

    def connect_server(self, port: int) -> list[str]:
        """Return the command of a Spark Connect server on the loopback address."""
        binding = [f"spark.connect.grpc.binding.address={HOST}", f"spark.connect.grpc.binding.port={port}"]
        options = [part for setting in (*binding, *INTERPRETED) for part in ("--conf", setting)]
        return self.submit("--class", CONNECT_CLASS, "--name", "fogline-connect", *options, "spark-internal")
