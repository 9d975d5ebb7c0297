"""Fogline's Airflow connections: a missing one is an error, never a default."""

from typing import Any

from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import URL

from fogline.artifacts import ArtifactStore
from fogline.errors import FoglineError
from fogline.history.address import HistoryAddress, hosts_in, kind_of
from fogline.ledger.database import Ledger
from fogline.steps.services import Services

KAFKA = "fogline_kafka"
SPARK = "fogline_spark"
SPARK_CONNECT = "fogline_spark_connect"
LEDGER = "fogline_ledger"
HISTORY = "fogline_history"


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
        raise ConnectionMissing(missing(name)) from error


def missing(name: str) -> str:
    """Return what to do about a connection that is not there."""
    return f"Airflow has no connection {name}; add it under Admin, Connections or as AIRFLOW_CONN_{name.upper()}"


def open_services() -> Services:
    """Open the ledger, Kafka's configuration and the model store, by Airflow's connections.

    Raises
    ------
    ConnectionMissing, StoreError
        Something is not configured.
    """
    return Services(Ledger(ledger_url()), kafka_configuration(), ArtifactStore.from_environment())


def kafka_configuration() -> dict[str, Any]:
    """Return librdkafka's configuration, by the connection ``fogline_kafka``.

    Raises
    ------
    ConnectionMissing
        It is not configured.
    """
    try:
        configuration: dict[str, Any] = KafkaClientConfigHook(KAFKA).get_conn  # type: ignore[no-untyped-call]
    except AirflowNotFoundException as error:
        raise ConnectionMissing(missing(KAFKA)) from error
    return configuration


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


def history_address() -> HistoryAddress:
    """Return where the models' history lies, by its connection.

    Raises
    ------
    ConnectionMissing
        It is not configured.
    HistoryAddressError
        It lacks something, or names no kind of history store.
    """
    connection, source = require_connection(HISTORY), f"connection {HISTORY}"
    return HistoryAddress(
        source=source,
        kind=kind_of(connection.conn_type or ""),
        hosts=hosts_in(connection.host or "", connection.port, source),
        schema=connection.schema or "",
        login=connection.login,
        password=connection.password,
        options=connection.extra_dejson,
    )
