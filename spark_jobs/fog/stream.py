"""A topic's query, one for all fogs of the application that read it: each batch is read once and shared out."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from fogline.errors import FoglineError
from fogline.federation import Federation
from fogline.kafka.clients import ClientConfig
from fogline.kafka.identity import TopicDesk
from spark_jobs.fog.ingest import BatchWriter
from spark_jobs.fog.losses import Losses
from spark_jobs.fog.memory import give_back
from spark_jobs.fog.placement import Placement, placement_of
from spark_jobs.fog.planned import Ints, Planned, ends_too_early, lowest, within
from spark_jobs.fog.routing import Router
from spark_jobs.fog.source import records_of
from spark_jobs.fog.spark_checkpoint import SparkCheckpoint

TRIGGER = "1 second"
LARGE_BATCH = 5_000


class Places(NamedTuple):
    """Where a batch's records lie, shape ``(n,)``."""

    partition: Ints
    offset: Ints


class TopicStream:
    """Reads a topic for some fogs.

    Each fog keeps its own position, noted with what it made of a batch, and takes of a batch what is new to it. So
    Spark's checkpoint may be begun anew at any time, from the lowest position; it is where another one does not go on
    from there. It lies in the folder of the first fog, which only this process uses.

    Parameters
    ----------
    writers
        The fogs' own, of this topic.
    tell
        Told the fog and what is wrong, once a fog can't take its part of a batch.
    """

    def __init__(
        self,
        topic: str,
        federation: Federation,
        writers: Sequence[BatchWriter],
        desk: TopicDesk,
        tell: Callable[[str], None],
    ) -> None:
        self.topic, self._federation, self._desk, self._tell = topic, federation, desk, tell
        self._writers = sorted(writers, key=lambda writer: writer.parts.name)
        self._checkpoint = SparkCheckpoint(self._writers[0].parts.folder.stream, topic)
        sensors = {writer.parts.name: federation.fogs[writer.parts.name].sensors for writer in self._writers}
        self._router = Router(sensors, federation.warden(topic))
        self._placement: Placement | None = None

    def records(self, session: SparkSession, config: ClientConfig) -> DataFrame:
        """Return the stream of the fogs' records, to be written by `__call__`, with `checkpoint_folder`."""
        fogs = [writer.parts.name for writer in self._writers]
        partitions = self._desk.partitions(self.topic)
        folders = [writer.parts.folder for writer in self._writers]
        self._placement = placement = placement_of(self._federation, self.topic, len(partitions), folders)
        only = placement.partitions_for(fogs) if placement else None
        begin = self._begin(partitions if only is None else only)
        checked = placement is not None
        return records_of(session, config, self._federation, self.topic, fogs, begin, only=only, all_keys=checked)

    @property
    def n_partitions(self) -> int | None:
        """How many partitions the topic must have while it is read, None where more may be added."""
        return self._placement.n_partitions if self._placement else None

    @property
    def checkpoint_folder(self) -> str:
        """Where Spark keeps its checkpoint."""
        return str(self._checkpoint.folder)

    def start(self, session: SparkSession, config: ClientConfig) -> StreamingQuery:
        """Start the query.

        Raises
        ------
        FoglineError
            The topic ends before what a fog read of it, or the broker does not answer.
        """
        return (
            self.records(session, config)
            .writeStream.queryName(self.topic)
            .foreachBatch(self)
            .option("checkpointLocation", self.checkpoint_folder)
            .trigger(processingTime=TRIGGER)
            .start()
        )

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        """Share out one micro-batch of `records_of`."""
        records = batch.toArrow()
        planned = Planned(self.topic, self._checkpoint.offsets(batch_id - 1), self._checkpoint.offsets(batch_id))
        places = Places(*(np.asarray(records[name], np.int64) for name in ("partition", "offset")))
        self._check(records)
        first_held = self._asked_once()
        for writer, rows in zip(self._writers, self._router.rows(records), strict=True):
            try:
                self._hand_over(writer, records, rows, planned, places, first_held)
            except FoglineError as error:
                # Spark would wrap it in both languages' stacks.
                self._tell(f"{writer.parts.name}: {error}")
                raise
        if records.num_rows > LARGE_BATCH:
            give_back()

    def _check(self, records: pa.Table) -> None:
        if self._placement is not None:
            try:
                self._placement.check(records)
            except FoglineError as error:
                self._tell(str(error))
                raise

    def _hand_over(
        self,
        writer: BatchWriter,
        records: pa.Table,
        rows: Ints,
        planned: Planned,
        places: Places,
        first_held: Callable[[Iterable[int]], Mapping[int, int]],
    ) -> None:
        parts = writer.parts
        position = parts.state.position(parts.folder.checkpoint_id)
        left = planned.left_for(position, parts.folder.checkpoint)
        losses = Losses(self.topic, first_held, parts.name)
        if not position:
            losses.say_where_it_begins(planned.starts)
        n_lost = losses.count(left, *places)
        if not planned.is_whole_for(position):
            rows = rows[within(left, places.partition[rows], places.offset[rows])]
        own = records if len(rows) == records.num_rows else records.take(rows)
        writer.write(own, n_lost, planned.ends)

    def _begin(self, partitions: Sequence[int]) -> dict[int, int | None]:
        """Return where a new query begins, and make room for its checkpoint where the old one leads elsewhere."""
        ends, positions = self._desk.ends(self.topic, partitions), []
        for parts in (writer.parts for writer in self._writers):
            positions.append(parts.state.position(parts.folder.checkpoint_id))
            for partition, at in positions[-1].items():
                if at > ends.get(partition, at):
                    fault = ends_too_early(self.topic, partition, ends[partition], at, parts.folder.checkpoint)
                    raise type(fault)(f"{parts.name}: {fault}")
        begin = lowest(positions, partitions)
        if not self._checkpoint.goes_on_from(begin):
            self._checkpoint.clear()
        return begin

    def _asked_once(self) -> Callable[[Iterable[int]], Mapping[int, int]]:
        """Return what tells the first offsets that partitions hold, and asks for each partition once."""
        ask = functools.cache(lambda partitions: self._desk.starts(self.topic, partitions))
        return lambda partitions: ask(tuple(sorted(partitions)))
