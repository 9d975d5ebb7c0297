"""The one table of topics: names, partitions, retention and limits; start-up creates and checks them.

``python -m fogline.kafka.topics`` does it on a broker of your own.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from fogline.errors import FoglineError
from fogline.kafka.access import Watch
from fogline.kafka.clients import ClientConfig, KafkaLayerError, config_from_environment

SENSOR_DATA = "sensor-data"
SENSOR_DATA_REJECTED = "sensor-data-rejected"
ROUND_PLANS = "round-plans"
MODEL_BLOBS = "model-blobs"
GLOBAL_MODEL = "global-model"
MODEL_UPDATES = "model-updates"
MODEL_WEIGHTS = "model-weights"

# A reading with it is never late: people send it again on purpose.
REPLAY_HEADER = "fogline-replay"

N_WEIGHTS_PARTITIONS = 4
N_BLOBS_PARTITIONS = 4

_DAY_MS = 24 * 3600 * 1000
ADMIN_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Topic:
    """A topic and the settings it must have."""

    name: str
    n_partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


# Plans and updates are judged by the broker's clock (LogAppendTime): a fog's own clock decides nothing.
_SENSOR_DATA = Topic(SENSOR_DATA, 4, {"retention.ms": str(7 * _DAY_MS)})
TOPICS = (
    _SENSOR_DATA,
    Topic(SENSOR_DATA_REJECTED, 1, {"retention.ms": str(30 * _DAY_MS)}),
    Topic(
        ROUND_PLANS,
        1,
        {"message.timestamp.type": "LogAppendTime", "retention.ms": str(30 * _DAY_MS)},
    ),
    Topic(MODEL_BLOBS, N_BLOBS_PARTITIONS, {"retention.ms": str(7 * _DAY_MS)}),
    Topic(GLOBAL_MODEL, 1, {"cleanup.policy": "compact"}),
    Topic(
        MODEL_UPDATES,
        1,
        {"message.timestamp.type": "LogAppendTime", "retention.ms": str(30 * _DAY_MS)},
    ),
    Topic(MODEL_WEIGHTS, N_WEIGHTS_PARTITIONS, {"retention.ms": str(30 * _DAY_MS)}),
)


def ensure_topics(
    broker: str | ClientConfig, replication_factor: int = -1, sensor_topics: Sequence[str] = ()
) -> list[str]:
    """Create the topics that are missing and check the settings of those that are there.

    Parameters
    ----------
    broker
        The address of one that anybody may use, or a client configuration.
    replication_factor
        Minus one takes the broker's default.
    sensor_topics
        More topics like `SENSOR_DATA`, as for fogs that have their own.

    Returns
    -------
    list of str
        The topics that were created.

    Raises
    ------
    KafkaLayerError
        The broker does not answer, or a topic has another setting than the table; the message names both values.
    KafkaAccessError
        The broker does not let this client in, or not create topics.
    """
    config = {"bootstrap.servers": broker} if isinstance(broker, str) else broker
    watch = Watch(config)
    settings: dict[str, Any] = {**config, "error_cb": watch, "log_level": 0}
    admin = AdminClient(settings)
    declared = [*TOPICS, *(Topic(name, _SENSOR_DATA.n_partitions, _SENSOR_DATA.settings) for name in sensor_topics)]
    try:
        listed = watch.ask(
            lambda left_s: admin.list_topics(timeout=left_s), lambda: admin.poll(0), timeout_s=ADMIN_TIMEOUT_S
        )
        present = set(listed.topics)
        wanted = [topic for topic in declared if topic.name not in present]
        _create(admin, wanted, replication_factor)
        _check(admin, [topic for topic in declared if topic.name in present])
    except KafkaException as error:
        fault = watch.fault("topics", error.args[0])
        if isinstance(fault, KafkaLayerError):
            servers = config["bootstrap.servers"]
            fault = KafkaLayerError(f"topics on {servers}: {error.args[0].str()}; is the broker up?")
        raise fault from error
    return [topic.name for topic in wanted]


def _create(admin: AdminClient, topics: list[Topic], replication_factor: int) -> None:
    new = [NewTopic(t.name, t.n_partitions, replication_factor, config=dict(t.settings)) for t in topics]
    if new:
        for created in admin.create_topics(new, operation_timeout=ADMIN_TIMEOUT_S).values():
            created.result(ADMIN_TIMEOUT_S)


def _check(admin: AdminClient, topics: list[Topic]) -> None:
    resources = {ConfigResource(ResourceType.TOPIC, topic.name): topic for topic in topics}
    if not resources:
        return
    for resource, described in admin.describe_configs(list(resources)).items():
        found = described.result(ADMIN_TIMEOUT_S)
        topic = resources[resource]
        for name, value in topic.settings.items():
            if found[name].value != value:
                raise KafkaLayerError(
                    f"topic {topic.name}: {name} is {found[name].value}, it must be {value}; "
                    f"set it with kafka-configs --alter --entity-type topics --entity-name {topic.name}"
                )


def main(argv: Sequence[str] | None = None) -> int:
    """Create and check the topics on the broker of the environment; return the exit status."""
    parser = argparse.ArgumentParser(prog="fogline.kafka.topics", description="Create and check Fogline's topics.")
    parser.add_argument("--replication-factor", type=int, default=-1, help="of new topics (the broker's default)")
    parser.add_argument("--sensor-topic", action="append", default=[], help="a fog's own topic; may be given again")
    arguments = parser.parse_args(argv)
    try:
        created = ensure_topics(config_from_environment(), arguments.replication_factor, arguments.sensor_topic)
    except FoglineError as error:
        print(f"fogline.kafka.topics: {error}", file=sys.stderr)
        return 1
    print(f"created: {', '.join(created) or 'none'}; the others are as they must be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
