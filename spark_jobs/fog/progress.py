"""How far the stream is behind its topic, as Spark tells it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
)

from spark_jobs.fog.metrics import FogMeter


class Follower(NamedTuple):
    """A fog of a query: its meter, and what tells its position."""

    meter: FogMeter
    position: Callable[[], Mapping[int, int]]


class ProgressListener(StreamingQueryListener):
    """Notes how far each fog is behind.

    Parameters
    ----------
    followers
        By the topic, whose name is the query's.
    """

    def __init__(self, followers: Mapping[str, Sequence[Follower]]) -> None:
        self._followers = followers

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        """Nothing to report."""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Compare the fogs' offsets after a batch with the newest ones."""
        topic = event.progress.name or ""
        for meter, position in self._followers.get(topic, ()):
            meter.lag(sum(n_behind(topic, position(), source.latestOffset) for source in event.progress.sources))

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        """Nothing to report."""

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        """Nothing to report; the main thread waits for the end."""


def n_behind(topic: str, position: Mapping[int, int], newest: str | None) -> int:
    """Return how many offsets lie between a position and what Spark says is the newest one, over all partitions.

    Partitions without a position are left out: where they begin is the broker's choice.
    """
    # Spark says "None" or "null" where it does not know.
    topics = json.loads(newest) if newest and newest.startswith("{") else {}
    ends = {int(partition): int(offset) for partition, offset in topics.get(topic, {}).items()}
    return sum(max(0, end - position[partition]) for partition, end in ends.items() if partition in position)
