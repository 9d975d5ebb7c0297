"""What Spark's offset texts say about lost records."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql.streaming.listener import QueryProgressEvent

from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.progress import Followed, ProgressListener, n_offsets
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
    state = FogState(tmp_path / "state")
    fog = Followed("c", state, metrics.of("fog-a", state, ReadingStore(tmp_path, {}, dt.timedelta(1))))
    source = SimpleNamespace(
        startOffset='{"t":{"0":5}}', endOffset='{"t":{"0":8}}', latestOffset='{"t":{"0":20}}', numInputRows=3
    )
    for name in ("fog-a", "another query"):
        progress: Any = SimpleNamespace(name=name, sources=[source], batchId=4)
        ProgressListener({"fog-a": fog}, pytest.fail).onQueryProgress(QueryProgressEvent(progress))
    assert metrics.registry.get_sample_value("fogline_fog_ingest_lag_records", {"fog": "fog-a"}) == 12
    assert state.totals() == {}


def test_offsets_without_records_are_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = FogState(tmp_path / "state")
    fog = Followed("c", state, FogMetrics().of("fog-a", state, ReadingStore(tmp_path, {}, dt.timedelta(1))))
    source = SimpleNamespace(
        startOffset='{"t":{"0":5}}', endOffset='{"t":{"0":8}}', latestOffset=None, numInputRows=1, description="t"
    )
    progress: Any = SimpleNamespace(name="fog-a", sources=[source], batchId=4)
    for _ in range(2):
        ProgressListener({"fog-a": fog}, pytest.fail).onQueryProgress(QueryProgressEvent(progress))
    assert state.totals() == {"lost": 2}
    assert "2 offsets of t held no record" in caplog.text


def test_a_topic_that_ends_before_what_was_read_ends_the_fog(tmp_path: Path) -> None:
    state, ends = FogState(tmp_path / "state"), []
    fog = Followed("c", state, FogMetrics().of("fog-a", state, ReadingStore(tmp_path, {}, dt.timedelta(1))))
    source = SimpleNamespace(
        startOffset='{"t":{"0":8}}', endOffset='{"t":{"0":3}}', latestOffset=None, numInputRows=0, description="t"
    )
    progress: Any = SimpleNamespace(name="fog-a", sources=[source], batchId=4)
    ProgressListener({"fog-a": fog}, ends.append).onQueryProgress(QueryProgressEvent(progress))
    assert len(ends) == 1 and "it was made anew" in ends[0]
