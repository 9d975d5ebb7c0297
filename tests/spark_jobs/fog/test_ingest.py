"""How far a fog is behind, by Spark's offset texts."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyspark.sql.streaming.listener import QueryProgressEvent

from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.progress import ProgressListener, n_offsets
from spark_jobs.fog.state import FogState
from spark_jobs.fog.store import ReadingStore


def test_offsets_are_counted_over_partitions() -> None:
    assert n_offsets('{"t":{"0":5,"1":7}}', '{"t":{"0":8,"1":7}}') == 3


def test_a_partition_without_a_start_is_left_out() -> None:
    assert n_offsets('{"t":{"0":5}}', '{"t":{"0":8,"1":7}}') == 3


def test_a_first_batch_has_no_start() -> None:
    assert n_offsets(None, '{"t":{"0":8}}') == 0
    assert n_offsets("null", '{"t":{"0":8}}') == 0


def test_a_fog_s_lag_is_what_the_topic_has_beyond_its_last_batch(tmp_path: Path) -> None:
    metrics = FogMetrics()
    meter = metrics.of("fog-a", FogState(tmp_path / "state"), ReadingStore(tmp_path, {}, dt.timedelta(1)))
    source = SimpleNamespace(endOffset='{"t":{"0":8}}', latestOffset='{"t":{"0":20}}')
    for name in ("fog-a", "another query"):
        progress: Any = SimpleNamespace(name=name, sources=[source])
        ProgressListener({"fog-a": meter}).onQueryProgress(QueryProgressEvent(progress))
    assert metrics.registry.get_sample_value("fogline_fog_ingest_lag_records", {"fog": "fog-a"}) == 12
