"""What a fog judges is what came: Spark's columns and Python's bytes lead to the same readings and rejections."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogline.federation import Federation
from spark_jobs.fog.source import N_BYTES_KEPT, selected
from tests.spark_jobs.fog.rules.made import NOW, judge_of, records
from tests.spark_jobs.fog.rules.test_any_input import VALUES
from tests.support.faults import PLAIN_KINDS, Reading
from tests.support.federations import small_federation

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIELDS = {"wind": {"min": 0, "max": 60}, "power": {"min": -200, "max": 2500}}
COLUMNS = "key binary, value binary, partition int, offset long, headers array<struct<key: string, value: binary>>"
Sent = tuple[bytes | None, bytes | None]
KEYS = st.just(b"s1") | st.just(b"s2") | st.none() | st.binary(max_size=4)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    folder: Path = tmp_path_factory.mktemp("federation")
    expressions = {"features": {"wind": "wind"}, "target": {"name": "y", "expression": "power"}}
    return small_federation(folder, fields=FIELDS, **expressions)


def through_spark(spark: "SparkSession", own: Federation, sent: list[Sent]) -> pa.Table:
    """Return the fog's records as its batches have them."""
    rows = [
        (None if key is None else bytearray(key), None if value is None else bytearray(value), 2, 100 + number, None)
        for number, (key, value) in enumerate(sent)
    ]
    arrived = selected(spark.createDataFrame(rows, COLUMNS), own, own.fogs["fog-a"].topic, ["fog-a"]).toArrow()
    return arrived.filter(pc.is_valid(arrived["n_bytes"]))


def require_same(spark: "SparkSession", own: Federation, sent: list[Sent]) -> None:
    """Check that records are judged alike with and without Spark between."""
    # fog-a is the topic's warden, so that only what belongs to the other fog is not its own.
    direct = [(number, one) for number, one in enumerate(sent) if one[0] != b"s2"]
    arrived = through_spark(spark, own, sent)
    assert arrived["offset"].to_pylist() == [100 + number for number, _ in direct]
    wanted = judge_of().judge(records([value for _, (_, value) in direct], [key for _, (key, _) in direct]), NOW)
    found = judge_of().judge(arrived, NOW)
    assert found.rejections == wanted.rejections
    names = [name for name in found.readings.column_names if name != "kafka_offset"]
    assert found.readings.select(names).equals(wanted.readings.select(names))
    assert found.rows.tolist() == wanted.rows.tolist()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.lists(st.tuples(KEYS, VALUES), min_size=30, max_size=60))
def test_any_bytes(spark: "SparkSession", own: Federation, sent: list[Sent]) -> None:
    require_same(spark, own, sent)


def test_each_kind_of_arrival(spark: "SparkSession", own: Federation) -> None:
    reading = Reading("s1", NOW, {"wind": 3.0, "power": 7.0}, "wind")
    kinds = [kind for kind in PLAIN_KINDS.values() if kind.outcome != "too_large"]
    require_same(spark, own, [(kind.key("s1"), kind.make(reading)) for kind in kinds])


def test_of_a_value_above_the_limit_only_the_start_and_the_size_arrive(spark: "SparkSession", own: Federation) -> None:
    limit = own.readings.max_bytes
    arrived = through_spark(spark, own, [(b"s1", b"x" * limit), (b"s1", b"x" * (limit + 1))])
    assert arrived["n_bytes"].to_pylist() == [limit, limit + 1]
    assert [len(value or b"") for value in arrived["value"].to_pylist()] == [limit, N_BYTES_KEPT]
