"""Airflow's configuration, wholly by environment variables, and the preparation of its home and database."""

import base64
import json
import secrets
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from fogline.history.address import named_history
from fogline.stack.bootstrap import REPOSITORY
from fogline.stack.credentials import kept
from fogline.stack.errors import StackError
from fogline.stack.settings import HOST, Settings

USER = "admin"
MIGRATION_DEADLINE_S = 300
PROGRAMS = ("api-server", "scheduler", "dag-processor", "triggerer")


class Airflow:
    """Airflow with its home in ``<home>/airflow``.

    Parameters
    ----------
    settings
        The stack's settings.
    database_url
        SQLAlchemy address of its metadata database.
    """

    def __init__(self, settings: Settings, database_url: str) -> None:
        self.settings, self.database_url = settings, database_url
        self.home = settings.home / "airflow"
        self._secrets = settings.home / "credentials"

    @property
    def password(self) -> str:
        """Return the password of :data:`USER` in the UI and the API."""
        return str(json.loads(self._passwords_file().read_text())[USER])

    def command(self, program: str) -> list[str]:
        """Return the command of one of :data:`PROGRAMS`."""
        return [sys.executable, str(Path(sys.prefix) / "bin" / "airflow"), program]

    def environment(self) -> dict[str, str]:
        """Return Airflow's whole configuration as environment variables."""
        port = self.settings.airflow_port
        options: dict[str, object] = {
            "CORE__DAGS_FOLDER": REPOSITORY / "dags",
            "CORE__PLUGINS_FOLDER": REPOSITORY / "plugins",
            "CORE__LOAD_EXAMPLES": False,
            "CORE__EXECUTOR": "fogline.stack.executor.VigilantLocalExecutor",
            "CORE__PARALLELISM": 4,
            "CORE__FERNET_KEY": self._secret("fernet"),
            "CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self._passwords_file(),
            "DATABASE__SQL_ALCHEMY_CONN": self.database_url,
            "API__HOST": HOST,
            "API__PORT": port,
            "API__BASE_URL": self.settings.airflow_url,
            "API__WORKERS": 1,
            "API__SECRET_KEY": self._secret("api"),
            "API_AUTH__JWT_SECRET": self._secret("jwt"),
            "LOGGING__BASE_LOG_FOLDER": self.home / "logs",
            "LOGGING__WORKER_LOG_SERVER_PORT": self.settings.airflow_worker_log_port,
            "LOGGING__TRIGGER_LOG_SERVER_PORT": self.settings.airflow_triggerer_log_port,
            # Between two tasks of a round the scheduler would sleep a whole second.
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.1,
            # On one machine a task or scheduler that is gone is noticed in half a minute instead of five.
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 40,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
            "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 20,
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 10,
            # A federation file is no DAG file, so its change is seen when the DAG files are parsed again.
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 10,
            "DAG_PROCESSOR__REFRESH_INTERVAL": 10,
            "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": 2,
            "DAG_PROCESSOR__PARSING_PROCESSES": 1,
            "USAGE_DATA_COLLECTION__ENABLED": False,
        }
        variables = {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
        return {"AIRFLOW_HOME": str(self.home), **variables}

    def prepare(self) -> None:
        """Write what Airflow reads from its home."""
        config = self.home / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "airflow_local_settings.py").write_text("import fogline.stack.preload  # noqa: F401\n")

    def migrate(self, environment: dict[str, str]) -> None:
        """Bring the metadata database to this Airflow's version; nothing happens when it is there already.

        Raises
        ------
        StackError
            When ``airflow db migrate`` fails; the message has the end of what it said.
        """
        stamp, installed = self.home / "migrated", version("apache-airflow")
        if stamp.is_file() and stamp.read_text() == installed and self._has_tables():
            return
        done = subprocess.run(
            [*self.command("db"), "migrate"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=MIGRATION_DEADLINE_S,
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise StackError(f"Airflow's database could not be migrated (exit {done.returncode}):\n{tail}")
        stamp.write_text(installed)

    def _has_tables(self) -> bool:
        import sqlalchemy

        engine = sqlalchemy.create_engine(self.database_url)
        try:
            return sqlalchemy.inspect(engine).has_table("dag_run")
        finally:
            engine.dispose()

    def _secret(self, name: str) -> str:
        return kept(self._secrets / f"airflow-{name}", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())

    def _passwords_file(self) -> Path:
        path = self._secrets / "airflow-users.json"
        kept(path, json.dumps({USER: secrets.token_urlsafe(12)}))
        return path


def connections(settings: Settings, ledger: dict[str, object]) -> dict[str, str]:
    """Return the Airflow connections that DAGs use, as environment variables.

    Parameters
    ----------
    ledger
        Host, port, login, password and schema of the ledger's database.
    """
    declared = {
        "FOGLINE_KAFKA": {"conn_type": "kafka", "extra": {"bootstrap.servers": settings.bootstrap_servers}},
        "FOGLINE_SPARK": {"conn_type": "spark", "host": "local[2]"},
        "FOGLINE_SPARK_CONNECT": {
            "conn_type": "spark_connect",
            "host": f"sc://{HOST}",
            "port": settings.spark_connect_port,
        },
        "FOGLINE_LEDGER": {"conn_type": "postgres", **ledger},
    }
    if history := named_history():
        declared["FOGLINE_HISTORY"] = history.connection()
    return {f"AIRFLOW_CONN_{name}": json.dumps(connection) for name, connection in declared.items()}
