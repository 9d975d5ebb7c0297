"""How far the stream is behind its topic, as Spark tells it."""

import json
from collections.abc import Mapping

from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from spark_jobs.fog.metrics import FogMeter


class ProgressListener(StreamingQueryListener):
    """Notes how far each fog is behind.

    Parameters
    ----------
    meters
        By the fog's name, which is the query's.
    """

    def __init__(self, meters: Mapping[str, FogMeter]) -> None:
        self._meters = meters

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        """Nothing to report."""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Compare the offsets of a batch with the newest ones."""
        meter = self._meters.get(event.progress.name or "")
        if meter is not None:
            meter.lag(sum(n_offsets(source.endOffset, source.latestOffset) for source in event.progress.sources))

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
