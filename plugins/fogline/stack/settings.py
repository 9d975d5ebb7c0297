"""Where the stack lies and which ports it takes; each setting is an environment variable FOGLINE_<NAME>."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fogline.federation import federations_folder
from fogline.stack.bootstrap import default_home, default_tools, short_hash

HOST = "127.0.0.1"
# Linux allows 107 bytes, macOS 103, and supervisor binds under a longer temporary name first.
MAX_SOCKET_PATH = 85


class Settings(BaseSettings):
    """The stack's settings, read from the environment; a field named ``kafka_port`` is FOGLINE_KAFKA_PORT."""

    model_config = SettingsConfigDict(env_prefix="FOGLINE_", frozen=True, extra="forbid")

    home: Path = Field(default_factory=default_home)
    tools: Path = Field(default_factory=lambda data: default_tools(data["home"]))
    federation: str = "wind_farm"
    federations: Path = Field(default_factory=federations_folder)
    producer_source: str = "la_haute_borne"
    airflow_port: int = Field(8080, ge=1, le=65535)
    airflow_worker_log_port: int = Field(8793, ge=1, le=65535)
    airflow_triggerer_log_port: int = Field(8794, ge=1, le=65535)
    kafka_port: int = Field(19092, ge=1, le=65535)
    kafka_controller_port: int = Field(19093, ge=1, le=65535)
    postgres_port: int = Field(15432, ge=1, le=65535)
    spark_connect_port: int = Field(15002, ge=1, le=65535)
    # Without them no metrics are served. Of fogs in applications of their own each takes the port after the last.
    fog_metrics_port: int | None = Field(None, ge=1, le=65535)
    producer_metrics_port: int | None = Field(None, ge=1, le=65535)

    @field_validator("home", "tools", "federations", mode="after")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("federation", mode="after")
    @classmethod
    def _no_branch(cls, name: str) -> str:
        if "." in name:
            raise ValueError("name a federation, not a branch: its fogs serve all branches")
        return name

    @property
    def ports(self) -> dict[str, int]:
        """Return every port of the stack by the variable that changes it."""
        names = [name for name in type(self).model_fields if name.endswith("_port")]
        return {f"FOGLINE_{name.upper()}": getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def bootstrap_servers(self) -> str:
        """Return the broker's address."""
        return f"{HOST}:{self.kafka_port}"

    @property
    def airflow_url(self) -> str:
        """Return the address of Airflow's UI and API."""
        return f"http://{HOST}:{self.airflow_port}"

    @property
    def logs(self) -> Path:
        """Return the folder of the supervised processes' logs."""
        return self.home / "logs"

    @property
    def supervisor_socket(self) -> Path:
        """Return the supervisor's socket: in the home, or in /tmp where that path is too long."""
        inside = self.home / "supervisor.sock"
        if len(str(inside)) <= MAX_SOCKET_PATH:
            return inside
        return Path("/tmp") / f"fogline-{short_hash(self.home)}.sock"
