"""How far a fog is behind, by its position and Spark's offset texts."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyspark.sql.streaming.listener import QueryProgressEvent

from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.progress import Follower, ProgressListener, n_behind
from spark_jobs.fog.state import FogState
from spark_jobs.fog.store import ReadingStore


def test_offsets_are_counted_over_partitions() -> None:
    assert n_behind("t", {0: 5, 1: 7}, '{"t":{"0":8,"1":7}}') == 3


def test_a_partition_without_a_position_is_left_out() -> None:
    assert n_behind("t", {0: 5}, '{"t":{"0":8,"1":7}}') == 3


def test_before_the_first_batch_there_is_no_position_and_what_spark_does_not_know_is_nothing() -> None:
    assert n_behind("t", {}, '{"t":{"0":8}}') == 0
    assert n_behind("t", {0: 5}, "null") == n_behind("t", {0: 5}, None) == 0


def test_a_fog_that_is_ahead_of_the_newest_that_spark_has_seen_is_not_behind() -> None:
    assert n_behind("t", {0: 9, 1: 1}, '{"t":{"0":8,"1":7}}') == 6


def test_each_fog_s_lag_is_what_the_topic_has_beyond_its_own_position(tmp_path: Path) -> None:
    metrics, positions = FogMetrics(), {"fog-a": {0: 8}, "fog-b": {0: 19}}
    followers = []
    for fog, position in positions.items():
        folder = tmp_path / fog
        folder.mkdir()
        meter = metrics.of(fog, FogState(folder / "state"), ReadingStore(folder, {}, dt.timedelta(1)))
        followers.append(Follower(meter, lambda position=position: position))
    source = SimpleNamespace(latestOffset='{"t":{"0":20}}')
    for name in ("t", "another query"):
        progress: Any = SimpleNamespace(name=name, sources=[source])
        ProgressListener({"t": followers}).onQueryProgress(QueryProgressEvent(progress))
    lags = {fog: metrics.registry.get_sample_value("fogline_fog_ingest_lag_records", {"fog": fog}) for fog in positions}
    assert lags == {"fog-a": 12, "fog-b": 1}
