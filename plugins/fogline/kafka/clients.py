"""Producers and consumers from one client configuration, that say at once when the broker does not let them in."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from fogline.kafka.access import (
    CLOUD_PREFIX,
    EDGE_PREFIX,
    GROUP,
    SOURCES,
    ClientConfig,
    KafkaAccessError,
    KafkaLayerError,
    Watch,
)

__all__ = [
    "BOOTSTRAP_VARIABLE",
    "CONFIG_VARIABLE",
    "EDGE_PREFIX",
    "METADATA_TIMEOUT_S",
    "ClientConfig",
    "KafkaAccessError",
    "KafkaLayerError",
    "config_from_environment",
    "edge_config_from_environment",
    "make_consumer",
    "make_producer",
]

BOOTSTRAP_VARIABLE = f"{CLOUD_PREFIX}_BOOTSTRAP_SERVERS"
CONFIG_VARIABLE = f"{CLOUD_PREFIX}_CONFIG"
METADATA_TIMEOUT_S = 20.0


def config_from_environment(prefix: str = CLOUD_PREFIX) -> dict[str, str]:
    """Return the client configuration of a program that is no Airflow task.

    ``<prefix>_CONFIG`` names a JSON file with librdkafka's settings, the same object as in Airflow's connection;
    ``<prefix>_BOOTSTRAP_SERVERS`` gives the address, alone or over the file's.

    Raises
    ------
    KafkaAccessError
        Neither says where the broker is, or the file can't be read.
    """
    file, servers = os.environ.get(f"{prefix}_CONFIG"), os.environ.get(f"{prefix}_BOOTSTRAP_SERVERS")
    config = _read_config(f"{prefix}_CONFIG", Path(file)) if file else {}
    if servers:
        config["bootstrap.servers"] = servers
    if not config.get("bootstrap.servers"):
        raise KafkaAccessError(f"{prefix}_BOOTSTRAP_SERVERS is not set; give it host:port of the broker")
    return config


def edge_config_from_environment() -> dict[str, str]:
    """Return the configuration for the edge's broker, which is the cloud's where no variable names one of its own.

    Raises
    ------
    KafkaAccessError
        As for `config_from_environment`.
    """
    # Never the cloud's settings with another address: its password is not the edge's to see.
    has_edge = any(name.startswith(EDGE_PREFIX) and value for name, value in os.environ.items())
    return config_from_environment(EDGE_PREFIX if has_edge else CLOUD_PREFIX)


def _read_config(variable: str, file: Path) -> dict[str, str]:
    remedy = 'give a JSON object such as {"security.protocol": "sasl_ssl"}'
    try:
        config = json.loads(file.read_text())
    except OSError as error:
        raise KafkaAccessError(f"{variable}={file}: {error.strerror}") from None
    except ValueError as error:
        raise KafkaAccessError(f"{variable}={file} is no JSON ({error}); {remedy}") from None
    if not isinstance(config, dict):
        raise KafkaAccessError(f"{variable}={file} holds no JSON object; {remedy}")
    return config


class WatchedConsumer(Consumer):
    """A consumer whose `list_topics` ends at once when the broker does not let it in."""

    def __init__(self, config: ClientConfig) -> None:
        self.watch = Watch(config)
        # librdkafka's own log repeats what the callback is told.
        with _setting_errors():
            super().__init__({**config, "error_cb": self.watch, "log_level": 0})

    def list_topics(self, topic: str | None = None, timeout: float = METADATA_TIMEOUT_S) -> Any:
        """Return the cluster's metadata."""
        ask = super().list_topics
        return self.watch.ask(lambda left_s: _list(ask, topic, left_s), lambda: self.poll(0), timeout)


class WatchedProducer(Producer):
    """A producer whose `list_topics` ends at once when the broker does not let it in."""

    def __init__(self, config: ClientConfig, on_error: Callable[[KafkaError], None] | None = None) -> None:
        self.watch = Watch(config, on_error)
        with _setting_errors():
            super().__init__({**config, "error_cb": self.watch, "log_level": 0})

    def list_topics(self, topic: str | None = None, timeout: float = METADATA_TIMEOUT_S) -> Any:
        """Return the cluster's metadata."""
        ask = super().list_topics
        return self.watch.ask(lambda left_s: _list(ask, topic, left_s), lambda: self.poll(0), timeout)


@contextlib.contextmanager
def _setting_errors() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise KafkaAccessError(f"Kafka settings: {error.args[0].str()}; put it right in {SOURCES}") from None


def _list(ask: Callable[..., Any], topic: str | None, timeout_s: float) -> Any:
    return ask(timeout=timeout_s) if topic is None else ask(topic, timeout=timeout_s)


def make_producer(
    config: ClientConfig,
    *,
    idempotent: bool,
    delivery_timeout_s: float,
    on_error: Callable[[KafkaError], None] | None = None,
) -> WatchedProducer:
    """Make a producer that waits for all replicas.

    A producer that lives long is idempotent. One that sends a few records and ends is not: asking for its producer id
    takes half a second, and a repeat is harmless where records are judged by identity and digest.
    """
    settings: dict[str, Any] = {
        "linger.ms": 5,
        **config,
        "acks": "all",
        "enable.idempotence": idempotent,
        "message.timeout.ms": int(delivery_timeout_s * 1000),
    }
    return WatchedProducer(settings, on_error)


def make_consumer(config: ClientConfig) -> WatchedConsumer:
    """Make a consumer to be used with ``assign()`` only.

    No group, because a group makes a restarted reader wait for its dead predecessor and turns a position into state
    (librdkafka asks for a name, which nothing is ever committed under).
    """
    settings: dict[str, Any] = {
        "fetch.wait.max.ms": 50,
        # A client connects when it first asks, and at Kafka's default waits half of 100 ms for the connection. It grows
        # from here while a broker is away.
        "reconnect.backoff.ms": 10,
        **config,
        "group.id": GROUP,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
    }
    return WatchedConsumer(settings)
