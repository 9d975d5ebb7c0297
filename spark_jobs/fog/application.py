"""One Spark application that runs one or several fogs of a federation."""

import functools
import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from fogline.errors import FoglineError
from fogline.federation import Federation
from fogline.kafka.identity import TopicDesk
from fogline.kafka.publish import Publisher
from fogline.metrics.serving import serve_if_asked
from spark_jobs.fog.environment import Environment
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.ingest import BatchWriter, FogParts, start_query
from spark_jobs.fog.losses import Losses
from spark_jobs.fog.memory import settle
from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.models import ModelCache
from spark_jobs.fog.node import FogNode
from spark_jobs.fog.progress import ProgressListener
from spark_jobs.fog.source import records_of
from spark_jobs.fog.state import KEPT, RECEIVED, FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.topics import TopicWatch
from spark_jobs.fog.unused import UnusedRecords
from spark_jobs.kafka_options import REDACTION

LOG = logging.getLogger("fog_node")
SESSION = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
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
        session.streams.addListener(ProgressListener({fog.name: fog.parts.meter for fog in self._fogs}))
        try:
            settle()
            queries = [self._start(session, fog) for fog in self._fogs]
            threading.Thread(target=self._watch, args=(session, queries), daemon=True).start()
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
        for files in (store, unused):
            files.recover()
        meter = self._metrics.of(name, state, store)
        parts = FogParts(federation, name, folder, state, store, unused, meter)
        node = FogNode(federation, name, store, unused, state, self._models, environment.cloud, meter)
        losses = Losses(folder.checkpoint, topic, functools.partial(self._desk.starts, topic), name)
        return Fog(parts, BatchWriter(parts, self._edge_publisher, losses), node)

    def _start(self, session: SparkSession, fog: Fog) -> StreamingQuery:
        records = records_of(session, self._environment.edge, self._federation, fog.name)
        query = start_query(records, fog.name, fog.parts.folder, functools.partial(self._write, fog))
        fog.node.start(self.end)
        totals = fog.parts.state.totals()
        logging.getLogger(fog.name).info(
            "started: sensors %s, %d readings kept of %d records received so far, data in %s",
            ", ".join(self._federation.fogs[fog.name].sensors),
            totals.get(KEPT, 0),
            totals.get(RECEIVED, 0),
            fog.parts.folder.path,
        )
        return query

    def _write(self, fog: Fog, batch: DataFrame, batch_id: int) -> None:
        try:
            fog.writer(batch, batch_id)
        except FoglineError as error:
            # Spark would wrap it in both languages' stacks.
            self.end(f"{fog.name}: {error}")
            raise

    def _topic_watch(self) -> TopicWatch:
        folders = defaultdict(list)
        for fog in self._fogs:
            folders[fog.parts.topic].append(fog.parts.folder)
        return TopicWatch(self._desk, folders, self.end)

    def _watch(self, session: SparkSession, queries: Sequence[StreamingQuery]) -> None:
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
