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
# Named as Airflow names its own bundle of the DAG folder, which knows nothing of federation files.
BUNDLE = {
    "name": "dags-folder",
    "classpath": "fogline.airflow.bundle.FederationBundle",
    "kwargs": {"refresh_interval": 3},
}
# What holds wherever Airflow runs for Fogline, by its sections: here and in containers.
OPTIONS: dict[str, dict[str, object]] = {
    "core": {
        "dags_folder": REPOSITORY / "dags",
        "plugins_folder": REPOSITORY / "plugins",
        "load_examples": False,
        "executor": "fogline.airflow.executor.VigilantLocalExecutor",
        "parallelism": 4,
        # At Airflow's 30 s the second of two changes would wait for the next parse by the clock.
        "min_serialized_dag_update_interval": 1,
    },
    "api": {"workers": 1},
    "scheduler": {
        # Its executor waits instead, and is woken.
        "scheduler_idle_sleep_time": 0,
        # On one machine a task or scheduler that is gone is noticed in half a minute instead of five.
        "task_instance_heartbeat_timeout": 40,
        "task_instance_heartbeat_timeout_detection_interval": 5,
        "scheduler_health_check_threshold": 20,
        "orphaned_tasks_check_interval": 10,
    },
    "dag_processor": {
        "dag_bundle_config_list": json.dumps([BUNDLE]),
        # Its bundle sees what has changed; the clock is only for what nobody saw.
        "min_file_process_interval": 300,
        "bundle_refresh_check_interval": 3,
        # Of a file's DAGs the ones that a parse did not find are gone; a parse and its record are seconds apart.
        "stale_dag_threshold": 10,
        "parsing_processes": 1,
    },
    "usage_data_collection": {"enabled": False},
}


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
            **{f"{section.upper()}__{name.upper()}": v for section, own in OPTIONS.items() for name, v in own.items()},
            "CORE__FERNET_KEY": self._secret("fernet"),
            "CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self._passwords_file(),
            "DATABASE__SQL_ALCHEMY_CONN": self.database_url,
            "API__HOST": HOST,
            "API__PORT": port,
            "API__BASE_URL": self.settings.airflow_url,
            "API__SECRET_KEY": self._secret("api"),
            "API_AUTH__JWT_SECRET": self._secret("jwt"),
            "LOGGING__BASE_LOG_FOLDER": self.home / "logs",
            "LOGGING__WORKER_LOG_SERVER_PORT": self.settings.airflow_worker_log_port,
            "LOGGING__TRIGGER_LOG_SERVER_PORT": self.settings.airflow_triggerer_log_port,
        }
        variables = {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
        return {"AIRFLOW_HOME": str(self.home), **variables}

    def prepare(self) -> None:
        """Take away what an earlier Fogline had Airflow import: its executor and its bundle do that now."""
        (self.home / "config" / "airflow_local_settings.py").unlink(missing_ok=True)

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
