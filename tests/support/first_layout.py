"""A fog's folder as Fogline laid it out at first: a query of the fog's own, whose checkpoint says how far it is."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from fogline.federation import Federation
from fogline.kafka.identity import TopicDesk
from fogline.kafka.publish import Publisher
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.ingest import BatchWriter, FogParts
from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.source import records_of
from spark_jobs.fog.state import FogState
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.unused import UnusedRecords

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Death = Literal["written", "recorded"]


class FirstLayoutFog:
    """Ingests what is there, as the first layout's fog did, in this process.

    Parameters
    ----------
    data
        The fogs' folder.
    """

    def __init__(self, spark: "SparkSession", bootstrap_servers: str, own: Federation, fog: str, data: Path) -> None:
        self._spark, self._own, self._fog, self._data = spark, own, fog, data
        self._config, self._topic = {"bootstrap.servers": bootstrap_servers}, own.fogs[fog].topic
        self.folder = data / own.federation / fog

    def run(self, dies: Death | None = None) -> None:
        """Read to the topic's end; of a batch that ``dies`` is only written, or recorded and not committed."""
        from pyspark.errors import StreamingQueryException

        with self._writer() as writer, pytest.MonkeyPatch.context() as patch:
            if dies == "written":
                patch.setattr(writer.parts.state, "record_batch", _die)

            def write(batch: "DataFrame", _: int) -> None:
                records = batch.toArrow()
                writer.write(records.filter(records["n_bytes"].is_valid()), 0, {})
                if dies == "recorded":
                    _die()

            query = (
                records_of(self._spark, self._config, self._own, self._topic, [self._fog], self._begin())
                .writeStream.foreachBatch(write)
                .option("checkpointLocation", str(writer.parts.folder.checkpoint))
                .trigger(availableNow=True)
                .start()
            )
            with pytest.raises(StreamingQueryException) if dies else contextlib.nullcontext():
                query.awaitTermination()
        self._make_old()

    def _begin(self) -> dict[int, int | None]:
        return dict.fromkeys(TopicDesk(self._config).partitions(self._topic))

    @contextlib.contextmanager
    def _writer(self) -> Iterator[BatchWriter]:
        own, identity = self._own, TopicDesk(self._config).identify(self._topic)
        folder = FogFolder(self._data, own.federation, self._fog, self._topic, identity)
        state = FogState(folder.state)
        store = ReadingStore(folder.readings, own.fields, own.lateness)
        unused = UnusedRecords(folder.unused, own.lateness)
        meter = FogMetrics().of(self._fog, state, store)
        try:
            parts = FogParts(own, self._fog, folder, state, store, unused, meter)
            yield BatchWriter(parts, Publisher(self._config))
        finally:
            state.close()
            folder.close()

    def _make_old(self) -> None:
        identity = self.folder / "checkpoint" / "fogline.json"
        identity.write_text(json.dumps({**json.loads(identity.read_text()), "version": 1}))
        with contextlib.closing(sqlite3.connect(self.folder / "state.sqlite")) as state:
            state.execute("DROP TABLE positions")


def _die(*_: object) -> None:
    raise RuntimeError("killed by the test")
