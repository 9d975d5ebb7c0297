"""Do as the official image does: KAFKA_A_B=c is a.b=c, format a new data folder as CLUSTER_ID, become the broker."""

import os
import shlex
import subprocess
from pathlib import Path

PREFIX = "KAFKA_"
NOT_PROPERTIES = {"KAFKA_HEAP_OPTS"}


def main() -> None:
    jars = Path(os.environ["FOGLINE_TOOLS"]) / "jars" / "kafka"
    java = ["java", *shlex.split(os.environ.get("KAFKA_HEAP_OPTS", "")), "-cp", f"{jars}/*"]
    properties = Path("/tmp/server.properties")
    given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    settings = {name: value for name, value in given.items() if name not in NOT_PROPERTIES}
    lines = [f"{name.removeprefix(PREFIX).lower().replace('_', '.')}={value}" for name, value in settings.items()]
    properties.write_text("\n".join(lines) + "\n")
    if not (Path(settings["KAFKA_LOG_DIRS"]) / "meta.properties").is_file():
        tool = ["kafka.tools.StorageTool", "format", "-t", os.environ["CLUSTER_ID"], "-c", str(properties)]
        subprocess.run([*java, *tool], check=True)
    command = [*java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "kafka.Kafka", str(properties)]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
