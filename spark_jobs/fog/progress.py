"""How far the stream is, as Spark tells it: the lag, and the offsets that held no record."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from spark_jobs.fog.metrics import FogMeter
from spark_jobs.fog.state import Batch, FogState


@dataclass(frozen=True)
class Followed:
    """A fog whose query is followed."""

    checkpoint_id: str
    state: FogState
    meter: FogMeter


class ProgressListener(StreamingQueryListener):
    """Notes how far each fog is behind, and counts offsets that it got no record for: retention was faster.

    Parameters
    ----------
    fogs
        By name, which is the query's.
    end
        Ends the application, and says why.
    """

    def __init__(self, fogs: Mapping[str, Followed], end: Callable[[str], None]) -> None:
        self._fogs, self._end = fogs, end

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        """Nothing to report."""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Compare the offsets of a batch with its records, and with the newest ones."""
        name, sources = event.progress.name or "ingest", event.progress.sources
        fog = self._fogs.get(name)
        if fog is None:
            return
        fog.meter.lag(sum(n_offsets(source.endOffset, source.latestOffset) for source in sources))
        for source in sources:
            n_read = n_offsets(source.startOffset, source.endOffset)
            if n_read < 0:
                self._end(
                    f"{name}: {source.description} ends before what was read of it: it was made anew; move the fog's "
                    "checkpoint folder away to read it from its start"
                )
            elif n_read > source.numInputRows:
                self._lost(name, fog, event.progress.batchId, n_read - source.numInputRows, source.description)

    def _lost(self, name: str, fog: Followed, number: int, n_lost: int, where: str) -> None:
        fog.state.record_lost(Batch(fog.checkpoint_id, number), n_lost)
        fog.meter.lost(n_lost)
        logging.getLogger(name).error(
            "%d offsets of %s held no record: they expired before this fog read them (or are transaction markers)",
            n_lost,
            where,
        )

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        """Nothing to report."""

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        """Nothing to report; the main thread waits for the end."""


def n_offsets(start: str | None, end: str | None) -> int:
    """Return how many offsets lie between two of Spark's offset texts, over all partitions.

    Partitions without a start are left out: where they begin is the broker's choice.
    """
    starts, ends = _offsets(start), _offsets(end)
    return sum(offset - starts[place] for place, offset in ends.items() if place in starts)


def _offsets(text: str | None) -> dict[tuple[str, str], int]:
    # Spark says "None" or "null" for a query's first batch.
    topics = json.loads(text) if text and text.startswith("{") else {}
    return {(topic, partition): offset for topic, ps in topics.items() for partition, offset in ps.items()}
