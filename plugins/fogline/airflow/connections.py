"""Fogline's Airflow connections: a missing one is an error, never a default."""

from typing import Any

from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import URL

from fogline.artifacts import ArtifactStore
from fogline.errors import FoglineError
from fogline.ledger.database import Ledger
from fogline.steps.services import Services

KAFKA = "fogline_kafka"
SPARK = "fogline_spark"
SPARK_CONNECT = "fogline_spark_connect"
LEDGER = "fogline_ledger"


class ConnectionMissing(FoglineError):
    """Airflow has no connection of that name."""


class KafkaClientConfigHook(KafkaBaseHook):
    """The Kafka provider's hook, giving the client configuration of the connection instead of an admin client."""

    def _get_client(self, config: dict[str, Any]) -> dict[str, Any]:
        return config


def require_connection(name: str) -> Connection:
    """Return a connection.

    Raises
    ------
    ConnectionMissing
        There is none; says how to add it.
    """
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException as error:
        raise ConnectionMissing(
            f"Airflow has no connection {name}; add it under Admin, Connections or as AIRFLOW_CONN_{name.upper()}"
        ) from error


def open_services() -> Services:
    """Open the ledger, Kafka's configuration and the model store, by Airflow's connections.

    Raises
    ------
    ConnectionMissing, StoreError
        Something is not configured.
    """
    require_connection(KAFKA)
    kafka = KafkaClientConfigHook(KAFKA).get_conn  # type: ignore[no-untyped-call]
    return Services(Ledger(ledger_url()), kafka, ArtifactStore.from_environment())


def ledger_url() -> str:
    """Return the ledger's SQLAlchemy address, by its connection.

    Raises
    ------
    ConnectionMissing
        It is not configured.
    """
    connection = require_connection(LEDGER)
    url = URL.create(
        "postgresql+psycopg2",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        # Such as sslmode and sslrootcert.
        query={name: str(value) for name, value in connection.extra_dejson.items()},
    )
    return url.render_as_string(hide_password=False)
