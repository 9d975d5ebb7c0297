"""The topics of a fog's readings: awaited before it starts, and watched while it runs."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping

from fogline.errors import FoglineError
from fogline.kafka.access import UnknownTopicError
from fogline.kafka.clients import KafkaLayerError, WatchedConsumer
from fogline.kafka.identity import TopicDesk
from fogline.kafka.read import open_consumer, partitions_of
from fogline.kafka.topics import ROUND_PLANS, SENSOR_DATA_REJECTED
from spark_jobs.fog.environment import Environment
from spark_jobs.fog.errors import FogError
from spark_jobs.fog.folder import FogFolder

LOG = logging.getLogger("fog_node")

LOOK_EVERY_S = 2.0
WATCH_EVERY_S = 5.0


def await_topics(environment: Environment, topics: Collection[str], ended: threading.Event) -> None:
    """Return when all topics of readings are there, or ``ended`` is set; check the others that a fog needs.

    Raises
    ------
    KafkaLayerError
        The edge's broker does not answer, or has no topic for what is quarantined.
    KafkaAccessError
        A broker does not let this client in.
    """
    with open_consumer(environment.edge) as consumer:
        partitions_of(consumer, SENSOR_DATA_REJECTED)
        for topic in sorted(topics):
            _await_topic(consumer, topic, ended)
    try:
        with open_consumer(environment.cloud) as consumer:
            partitions_of(consumer, ROUND_PLANS)
    except KafkaLayerError as error:
        # Readings are kept also while the cloud is away. A wrong password ends the start: who would see it later?
        LOG.warning("no plans yet: %s", error)


def _await_topic(consumer: WatchedConsumer, topic: str, ended: threading.Event) -> None:
    is_said = False
    while not ended.is_set():
        try:
            partitions_of(consumer, topic)
        except UnknownTopicError as error:
            if not is_said:
                LOG.warning("waiting until there is the topic of the readings: %s", error)
            is_said = True
            ended.wait(LOOK_EVERY_S)
        else:
            return


class TopicWatch:
    """Sees that a topic was made anew while it is read, or got partitions that are not read; Spark passes over both.

    Parameters
    ----------
    folders
        Those of the fogs that read a topic, by its name.
    n_partitions
        How many those topics must have whose fogs read only some of them.
    tell
        Told what is wrong; the watch is over then.
    """

    def __init__(
        self,
        desk: TopicDesk,
        folders: Mapping[str, Collection[FogFolder]],
        n_partitions: Mapping[str, int],
        tell: Callable[[str], None],
    ) -> None:
        self._desk, self._folders, self._n_partitions, self._tell = desk, folders, n_partitions, tell

    def run(self, ended: threading.Event) -> None:
        """Look again and again until ``ended`` is set."""
        while not ended.wait(WATCH_EVERY_S):
            try:
                self.look()
            except FogError as error:
                self._tell(str(error))
                return
            except FoglineError:
                # The broker may tell next time; whoever reads or writes there says what is wrong with it.
                continue

    def look(self) -> None:
        """Compare the topics with those that were begun.

        Raises
        ------
        FogError
            One was made anew, or keys lie elsewhere now.
        FoglineError
            The broker does not tell.
        """
        for topic, folders in self._folders.items():
            identity = self._desk.identify(topic)
            for folder in folders:
                folder.follow(identity)
        for topic, wanted in self._n_partitions.items():
            found = len(self._desk.partitions(topic))
            if found != wanted:
                raise FogError(
                    f"{topic} has {found} partitions now and had {wanted}, so keys lie by both numbers; start the fogs "
                    "again: they then read all of them"
                )
