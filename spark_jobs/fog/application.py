"""One Spark application that runs one or several fogs of a federation."""

import logging
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import SparkSession

from fogline.federation import Federation
from fogline.kafka.identity import TopicDesk
from fogline.kafka.publish import Publisher
from fogline.metrics.serving import serve_if_asked
from spark_jobs.fog.environment import Environment
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.ingest import BatchWriter, FogParts
from spark_jobs.fog.layout import take_over
from spark_jobs.fog.memory import settle
from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.models import ModelCache
from spark_jobs.fog.node import FogNode
from spark_jobs.fog.progress import Follower, ProgressListener
from spark_jobs.fog.state import KEPT, RECEIVED, FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.stream import TopicStream
from spark_jobs.fog.topics import TopicWatch
from spark_jobs.fog.unused import UnusedRecords
from spark_jobs.kafka_options import REDACTION

LOG = logging.getLogger("fog_node")
SESSION = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    # A batch is copied several times on its way to Python; JSON shrinks to a fifth, and the collector's work with it.
    "spark.sql.execution.arrow.compression.codec": "zstd",
    # Streams can't use it, and each query would warn of that.
    "spark.sql.adaptive.enabled": "false",
    # What catching up took from the machine goes back soon after.
    "spark.cleaner.periodicGC.interval": "2min",
    # A query that runs for years must not keep a history of its batches in memory.
    "spark.sql.streaming.numRecentProgressUpdates": "1",
    "spark.ui.retainedJobs": "10",
    "spark.ui.retainedStages": "10",
    "spark.ui.retainedTasks": "100",
    "spark.sql.ui.retainedExecutions": "10",
    **REDACTION,
}


@dataclass(frozen=True)
class Fog:
    """The parts of one fog."""

    parts: FogParts
    writer: BatchWriter
    node: FogNode

    @property
    def name(self) -> str:
        """Its name."""
        return self.parts.name

    def position(self) -> Mapping[int, int]:
        """Return how far it has read its topic."""
        return self.parts.state.position(self.parts.folder.checkpoint_id)


class Application:
    """Fogs of one federation in this process.

    Parameters
    ----------
    ended
        Ends it when set.

    Raises
    ------
    FoglineError
        A folder is in use, another's or of another topic, the broker does not answer, or FOGLINE_METRICS_PORT is no
        port.
    """

    def __init__(
        self, federation: Federation, fogs: Sequence[str], environment: Environment, ended: threading.Event
    ) -> None:
        self._federation, self._environment, self._ended = federation, environment, ended
        self._desk = TopicDesk(environment.edge)
        self._edge_publisher = Publisher(environment.edge, idempotent=True)
        self._metrics = FogMetrics()
        self._models = ModelCache(environment.cloud, self._metrics.model_bytes.inc)
        self._fogs = [self._assemble(fog) for fog in fogs]
        self._streams: list[TopicStream] = []
        serve_if_asked(self._metrics.registry, LOG)
        self._fault: str | None = None

    def end(self, fault: str | None = None) -> None:
        """Make `run` return; the first fault told is the one it reports."""
        if not self._ended.is_set():
            self._fault = fault
            self._ended.set()

    def run(self) -> str | None:
        """Run until `end`; return the fault, or None after a clean end."""
        session = _session(f"fogline {self._federation.federation} {' '.join(fog.name for fog in self._fogs)}")
        followers = {
            topic: [Follower(fog.parts.meter, fog.position) for fog in fogs] for topic, fogs in self._by_topic().items()
        }
        session.streams.addListener(ProgressListener(followers))
        try:
            settle()
            self._start(session)
            threading.Thread(target=self._watch, args=(session,), daemon=True).start()
            threading.Thread(target=self._topic_watch().run, args=(self._ended,), daemon=True).start()
            self._ended.wait()
        finally:
            for fog in self._fogs:
                fog.node.stop()
            self._stop(session)
        return self._fault

    def _assemble(self, name: str) -> Fog:
        federation, environment = self._federation, self._environment
        topic = federation.fogs[name].topic
        folder = FogFolder(environment.data, federation.federation, name, topic, self._desk.identify(topic))
        state = FogState(folder.state)
        store = ReadingStore(folder.readings, federation.fields, federation.lateness)
        unused = UnusedRecords(folder.unused, federation.lateness)
        take_over(folder, state, topic)
        for files in (store, unused):
            files.recover(folder.checkpoint_id, state.last_batch(folder.checkpoint_id))
        meter = self._metrics.of(name, state, store)
        parts = FogParts(federation, name, folder, state, store, unused, meter)
        node = FogNode(federation, name, store, unused, state, self._models, environment.cloud, meter)
        return Fog(parts, BatchWriter(parts, self._edge_publisher), node)

    def _start(self, session: SparkSession) -> None:
        for topic, fogs in self._by_topic().items():
            writers = [fog.writer for fog in fogs]
            self._streams.append(TopicStream(topic, self._federation, writers, self._desk, self.end))
            self._streams[-1].start(session, self._environment.edge)
        for fog in self._fogs:
            fog.node.start(self.end)
            totals = fog.parts.state.totals()
            logging.getLogger(fog.name).info(
                "started: sensors %s, %d readings kept of %d records received so far, data in %s",
                ", ".join(self._federation.fogs[fog.name].sensors),
                totals.get(KEPT, 0),
                totals.get(RECEIVED, 0),
                fog.parts.folder.path,
            )

    def _by_topic(self) -> Mapping[str, list[Fog]]:
        fogs = defaultdict(list)
        for fog in self._fogs:
            fogs[fog.parts.topic].append(fog)
        return fogs

    def _topic_watch(self) -> TopicWatch:
        folders = {topic: [fog.parts.folder for fog in fogs] for topic, fogs in self._by_topic().items()}
        n_partitions = {stream.topic: n for stream in self._streams if (n := stream.n_partitions)}
        return TopicWatch(self._desk, folders, n_partitions, self.end)

    def _watch(self, session: SparkSession) -> None:
        try:
            session.streams.awaitAnyTermination()
        except Exception as error:
            # The query's own message repeats the plan and both stacks; its cause is in the log before this line.
            self.end(f"ingest ended: {str(error).splitlines()[0]}")
        else:
            self.end()

    def _stop(self, session: SparkSession) -> None:
        try:
            for query in session.streams.active:
                query.stop()
            session.stop()
        except Exception as error:
            # Java may have gone first: a signal to the whole process group reaches both.
            LOG.debug("Spark was gone already: %s", error)
        for fog in self._fogs:
            fog.parts.state.close()
            fog.parts.folder.close()


def _session(name: str) -> SparkSession:
    builder = SparkSession.builder.appName(name)
    for key, value in SESSION.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session
