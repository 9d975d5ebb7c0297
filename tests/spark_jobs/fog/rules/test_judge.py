"""Every record is a reading or a rejection that names field and reason."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest

from spark_jobs.fog.rules import store_schema
from spark_jobs.fog.rules.judge import CHUNK
from tests.spark_jobs.fog.rules.made import FIELDS, SOUND, judge, sound_but, with_literal


def test_a_sound_reading_is_kept_whole_with_its_place_on_kafka() -> None:
    judged = judge(sound_but())
    assert judged.rejections == []
    assert judged.readings.schema.equals(store_schema(FIELDS))
    assert judged.readings.to_pylist() == [
        {
            "sensor_id": "s1",
            "event_time": dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC),
            "wind": 3.5,
            "power": 100.0,
            "kafka_partition": 2,
            "kafka_offset": 100,
        }
    ]


@pytest.mark.parametrize("value", [b"{", b"null", b"[]", b'"text"', b"{}", b"", b"\xff\xfe", b"{}{}", None])
def test_what_is_no_reading_is_rejected(value: bytes | None) -> None:
    judged = judge(value)
    assert judged.readings.num_rows == 0
    assert len(judged.rejections) == 1
    assert judged.rejections[0].fault.reason


@pytest.mark.parametrize(
    "literal",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "1" + "0" * 400,
        '"3.5"',
        '"3,5"',
        '"21 °C"',
        "true",
        "[3.5]",
        "61",
        "-1",
    ],
)
def test_a_value_that_is_no_number_in_range_rejects_the_whole_reading(literal: str) -> None:
    judged = judge(sound_but(), with_literal("wind", literal), sound_but())
    assert judged.readings["kafka_offset"].to_pylist() == [100, 102]
    assert [(rejection.row, rejection.fault.field) for rejection in judged.rejections] == [(1, "wind")]


@pytest.mark.parametrize(
    "literal",
    [
        "1767261600",
        '"1767261600"',
        '"2026-01-01T10:00:00"',
        '"2026-01-01"',
        '"01/02/2026"',
        '"2026-02-30T00:00:00Z"',
        "null",
        "true",
        '"1969-12-31T23:59:59Z"',
        '"2026-01-01T12:05:01Z"',
    ],
)
def test_a_time_that_is_missing_ambiguous_or_in_the_future_is_rejected(literal: str) -> None:
    judged = judge(with_literal("event_time", literal))
    assert judged.readings.num_rows == 0
    assert [rejection.fault.field for rejection in judged.rejections] == ["event_time"]


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T10:00:00Z", "2026-01-01T11:00:00+01:00", "2026-01-01 10:00:00+00:00", "2026-01-01T05:00:00-05:00"],
)
def test_one_instant_is_one_time_however_it_is_written(text: str) -> None:
    assert judge(sound_but(event_time=text)).readings["event_time"].to_pylist() == [
        dt.datetime(2026, 1, 1, 10, tzinfo=dt.UTC)
    ]


def test_a_clock_may_be_a_little_ahead() -> None:
    assert judge(sound_but(event_time="2026-01-01T12:04:59Z")).rejections == []


@pytest.mark.parametrize(
    "value", [sound_but(wind=None), json.dumps({k: SOUND[k] for k in SOUND if k != "wind"}).encode()]
)
def test_an_absent_or_null_field_is_a_missing_value(value: bytes) -> None:
    judged = judge(value)
    assert judged.rejections == []
    assert judged.readings["wind"].null_count == 1
    assert judged.readings["power"].to_pylist() == [100.0]


def test_a_field_that_is_not_declared_is_ignored() -> None:
    assert judge(sound_but(colour="red")).readings.num_rows == 1


def test_a_reading_under_another_sensors_key_is_rejected() -> None:
    judged = judge(sound_but(sensor_id="s2"))
    assert [one.fault[:2] for one in judged.rejections] == [("other_key", "sensor_id")]


@pytest.mark.parametrize("literal", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_said_to_be_so(literal: str) -> None:
    assert [rejection.fault.kind for rejection in judge(with_literal("wind", literal)).rejections] == ["not_finite"]


def test_rejections_name_their_rows_whatever_the_reason() -> None:
    judged = judge(b"{", sound_but(), sound_but(event_time="2027-01-01T00:00:00Z"), sound_but(wind="x"), sound_but())
    assert [rejection.row for rejection in judged.rejections] == [0, 2, 3]
    assert judged.readings["kafka_offset"].to_pylist() == [101, 104]


def test_a_large_batch_is_judged_like_a_small_one() -> None:
    n, every = 2 * CHUNK + 10, 5_000
    judged = judge(*(b"{" if row % every == 0 else sound_but() for row in range(n)))
    bad = set(range(0, n, every))
    assert [rejection.row for rejection in judged.rejections] == sorted(bad)
    assert judged.readings["kafka_offset"].to_pylist() == [100 + row for row in range(n) if row not in bad]


def test_an_empty_batch_has_the_stores_columns() -> None:
    assert judge().readings.schema.equals(store_schema(FIELDS))


def test_microseconds_survive() -> None:
    times = judge(sound_but(event_time="2025-12-31T23:59:59.999999Z")).readings["event_time"]
    assert times.cast(pa.timestamp("us")).to_numpy()[0] == np.datetime64("2025-12-31T23:59:59.999999")
