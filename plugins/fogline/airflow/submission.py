"""What goes with a Spark job to wherever its driver and executors run: its code, its settings, and no secret in sight.

Code: a local master finds it on the PYTHONPATH. To a cluster, whose workers share no disk with this machine, it goes as
an archive (``--py-files``) made for the submission. Settings: Kafka's go in a file that only this user can read, never
on a command line, which anybody on the machine can list and Airflow and Spark write down. Where the driver runs here
(client mode) it is told by its environment; where it runs elsewhere (cluster mode) the file is shipped (``--files``).
"""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fogline.artifacts import STORE_VARIABLE
from fogline.errors import FoglineError
from fogline.kafka.clients import CONFIG_VARIABLE
from fogline.kafka.security import java_settings, self_contained
from fogline.steps.services import Services

ROOT = Path(__file__).parents[3]
PACKAGES = (ROOT / "spark_jobs", ROOT / "plugins" / "fogline")


class SubmissionError(FoglineError):
    """The job can't be submitted by this connection."""


@dataclass(frozen=True)
class Submission:
    """What the operator hands to the provider's hook; ``environment`` is for the process that submits."""

    environment: dict[str, str]
    env_vars: dict[str, str] | None = None
    py_files: str | None = None
    files: str | None = None


@contextmanager
def prepared(services: Services, master: str, deploy_mode: str | None) -> Iterator[Submission]:
    """Lay ready what a job needs; it is removed in the end.

    Parameters
    ----------
    master, deploy_mode
        As the connection says; no deploy mode is client mode.

    Raises
    ------
    SubmissionError
        No such deploy mode there.
    KafkaSettingsError
        A Kafka setting can't be used on Spark.
    """
    is_cluster = deploy_mode == "cluster"
    if is_cluster and master.startswith("spark://"):
        raise SubmissionError(
            "connection fogline_spark: a standalone cluster does not run Python drivers, so its extra deploy-mode "
            "can't be cluster; remove it"
        )
    java_settings(services.kafka)
    with tempfile.TemporaryDirectory(prefix="fogline-submission-") as folder:
        config = Path(folder) / "kafka.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(self_contained(services.kafka)))
        code = None if master.startswith("local") else str(archive_of_code(Path(folder) / "fogline.zip"))
        where = {STORE_VARIABLE: services.store.url, CONFIG_VARIABLE: str(config)}
        if is_cluster:
            # Both kinds of cluster put shipped files into the driver's working folder.
            yield Submission({}, {**where, CONFIG_VARIABLE: config.name}, code, str(config))
        else:
            yield Submission({**where, "PYTHONPATH": python_path()}, None, code)


def archive_of_code(path: Path) -> Path:
    """Write Fogline's Python packages into a zip file that Python can import from."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in PACKAGES:
            for file in sorted(package.rglob("*.py")):
                archive.write(file, file.relative_to(package.parent))
    return path


def python_path() -> str:
    """Return the PYTHONPATH on which a driver on this machine finds the code."""
    return os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])


@contextmanager
def environment_of(submission: Submission) -> Iterator[None]:
    """Set the submission's environment in this process, which spark-submit inherits, for a while."""
    before = {name: os.environ.get(name) for name in submission.environment}
    os.environ.update(submission.environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
