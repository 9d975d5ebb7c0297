"""The one table of topics: names, partitions, retention and limits; start-up creates and checks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from fogline.kafka.clients import KafkaLayerError

SENSOR_DATA = "sensor-data"
SENSOR_DATA_REJECTED = "sensor-data-rejected"
ROUND_PLANS = "round-plans"
MODEL_BLOBS = "model-blobs"
GLOBAL_MODEL = "global-model"
MODEL_UPDATES = "model-updates"
MODEL_WEIGHTS = "model-weights"

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
TOPICS = (
    Topic(SENSOR_DATA, 4, {"retention.ms": str(7 * _DAY_MS)}),
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


def ensure_topics(bootstrap_servers: str, replication_factor: int = -1) -> list[str]:
    """Create the topics that are missing and check the settings of those that are there.

    Parameters
    ----------
    replication_factor
        Minus one takes the broker's default.

    Returns
    -------
    list of str
        The topics that were created.

    Raises
    ------
    KafkaLayerError
        The broker does not answer, or a topic has another setting than the table; the message names both values.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    try:
        present = set(admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics)
        wanted = [topic for topic in TOPICS if topic.name not in present]
        _create(admin, wanted, replication_factor)
        _check(admin, [topic for topic in TOPICS if topic.name in present])
    except KafkaException as error:
        raise KafkaLayerError(f"topics on {bootstrap_servers}: {error.args[0].str()}; is the broker up?") from error
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
