"""Producers and consumers from one client configuration; nothing here knows where it comes from."""

import os
from collections.abc import Mapping

from confluent_kafka import Consumer, Producer

from fogline.errors import FoglineError

ClientConfig = Mapping[str, str]

BOOTSTRAP_VARIABLE = "FOGLINE_KAFKA_BOOTSTRAP_SERVERS"


class KafkaLayerError(FoglineError):
    """Kafka does not answer, refuses, or no longer holds what was asked for."""


def config_from_environment() -> dict[str, str]:
    """Return the client configuration of fogs and producer.

    Raises
    ------
    KafkaLayerError
        The variable is not set.
    """
    servers = os.environ.get(BOOTSTRAP_VARIABLE)
    if not servers:
        raise KafkaLayerError(f"{BOOTSTRAP_VARIABLE} is not set; give it host:port of the broker")
    return {"bootstrap.servers": servers}


def make_producer(config: ClientConfig, *, idempotent: bool, delivery_timeout_s: float) -> Producer:
    """Make a producer that waits for all replicas.

    A producer that lives long is idempotent. One that sends a few records and ends is not: asking for its producer id
    takes half a second, and a repeat is harmless where records are judged by identity and digest.
    """
    return Producer(
        {
            "linger.ms": 5,
            **config,
            "acks": "all",
            "enable.idempotence": idempotent,
            "message.timeout.ms": int(delivery_timeout_s * 1000),
        }
    )


def make_consumer(config: ClientConfig) -> Consumer:
    """Make a consumer to be used with ``assign()`` only.

    No group, because a group makes a restarted reader wait for its dead predecessor and turns a position into state
    (librdkafka asks for a name, which nothing is ever committed under).
    """
    return Consumer(
        {
            "fetch.wait.max.ms": 50,
            **config,
            "group.id": "fogline-assigned",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
        }
    )
