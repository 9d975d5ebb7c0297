"""Whatever the bytes: nothing raises, nothing untrue gets through, and the quick ways agree with the rule."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_jobs.fog.rules import Fault, Judged, ReadingJudge, quick
from spark_jobs.fog.rules.moment import MomentRule
from spark_jobs.fog.rules.number import ABSENT, NumberRule
from spark_jobs.fog.rules.record import RecordParser
from tests.spark_jobs.fog.rules.made import FIELDS, LENIENT, LENIENT_FIELDS, NOW, SOUND, judge_of, records

KEYS = ["sensor_id", "event_time", "wind", "power", "P"]
NUMBERS = st.one_of(
    st.integers(),
    st.integers(-10, 70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, -0.0, -1, 60, 60.000000001, 2**53 + 1, 10**400, 1e308, 5e-324]),
)
NUMBER_TEXTS = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,4}([.,' ][0-9]{1,3}){0,3}([eE][+-]?[0-9]{1,3})?( ?(m/s|°C|kW))?", fullmatch=True),
    st.sampled_from(
        ["NaN", "nan", "n/a", "-1", "", " 3,5 m/s ", "1.234,5 m/s", "12.34,5 m/s", "١٢", "1_000", "0x10", "Infinity"]
    ),
    st.text(max_size=6),
)
TIME_TEXTS = st.one_of(
    st.datetimes(timezones=st.timezones() | st.none()).map(lambda at: at.isoformat()),
    st.from_regex(
        r"20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,10})?)?"
        r"(Z|z|[+-][0-9]{2}:?[0-9]{0,2})?",
        fullmatch=True,
    ),
    st.sampled_from(["2025-03-30T02:30:00", "2025-10-26T02:30:00", "2025-10-26T02:30:00+01:00", "01/02/2026", "0", ""]),
)
NESTED: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
RAW_VALUES = NUMBERS | NUMBER_TEXTS | TIME_TEXTS | NESTED


def as_json(pairs: list[tuple[str, Any]]) -> bytes:
    """Return an object with its keys as they come, also twice."""
    inner = ",".join(
        f"{json.dumps(key, ensure_ascii=False)}:{json.dumps(value, ensure_ascii=False)}" for key, value in pairs
    )
    return f"{{{inner}}}".encode("utf-8", "surrogatepass")


OBJECTS = st.lists(st.tuples(st.sampled_from(KEYS) | st.text(max_size=4), RAW_VALUES), max_size=8).map(as_json)
# Sound but for a few keys, so that all ways of reading are reached.
NEARLY_SOUND = st.dictionaries(st.sampled_from([*KEYS, "on", "starts"]), RAW_VALUES, max_size=2).map(
    lambda changes: json.dumps({**SOUND, **changes}, ensure_ascii=False).encode("utf-8", "surrogatepass")
)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    value = draw(NEARLY_SOUND)
    at, end = sorted((draw(st.integers(0, len(value))), draw(st.integers(0, len(value)))))
    return value[:at] + draw(st.binary(max_size=4)) + value[end:]


VALUES = st.none() | st.binary(max_size=60) | OBJECTS | NEARLY_SOUND | _damaged()
SOUND_JSON = json.dumps(SOUND).encode()
SAME_NUMBER_TWICE = b'{"sensor_id":"s1","event_time":1767261600000,"wind":1,"power":2,"power":3}'


def require_true(judged: Judged, n_records: int, own: ReadingJudge) -> None:
    """Check that each record is judged once, and that what is kept is finite and in range."""
    assert sorted([*judged.rows.tolist(), *(rejection.row for rejection in judged.rejections)]) == list(
        range(n_records)
    )
    assert all(rejection.fault.reason for rejection in judged.rejections)
    for name, rule in (LENIENT_FIELDS if own is LENIENT_JUDGE else FIELDS).items():
        values = judged.readings[name].drop_null().to_numpy()
        assert np.isfinite(values).all() and ((values >= rule.min) & (values <= rule.max)).all()
    assert judged.readings["sensor_id"].null_count == judged.readings["event_time"].null_count == 0
    assert all(2000 <= time.year <= 2026 for time in judged.readings["event_time"].to_pylist())


PLAIN_JUDGE, LENIENT_JUDGE = judge_of(), judge_of(lenient=True)


@pytest.mark.parametrize("own", [PLAIN_JUDGE, LENIENT_JUDGE], ids=["plain", "lenient"])
@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(VALUES, max_size=6),
    keys=st.lists(st.none() | st.just(b"s1") | st.binary(max_size=4), min_size=6, max_size=6),
)
def test_each_record_is_a_true_reading_or_has_a_reason(
    own: ReadingJudge, values: list[bytes | None], keys: list[bytes | None]
) -> None:
    require_true(own.judge(records(values, keys[: len(values)]), NOW), len(values), own)


# One that looks as if it were two, two that look as if they were one, and what only the whole of a record shows.
SLY = [
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z","wind":1}{"power":2}',
    b'{"sensor_id":"s1"} {"event_time":"2026-01-01T10:00:00Z","wind":1,"power":2}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z","wind":1,"power":2,"wind":3}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z","Wind":1,"power":2}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z","wind":1,"power":2,"note":"calm"}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z","wind":null,"power":2,"note":7}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z","wind":[1],"power":2}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z",\n"wind":1,"power":2}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00Z","power":2}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00.1+01","power":2}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00","power":2}',
    b'{"sensor_id":"s1","event_time":"2026-01-01T10:00:00Z","wind":1,"power":2,"deep":' + b"[" * 10_000 + b"}",
    b"{}",
    b"",
]


@pytest.mark.parametrize("lenient", [False, True], ids=["plain", "lenient"])
@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(VALUES | NEARLY_SOUND | st.sampled_from(SLY), max_size=8),
    keys=st.lists(st.just(b"s1") | st.none() | st.binary(max_size=4), min_size=8, max_size=8),
)
@example(values=[*SLY, SOUND_JSON], keys=[b"s1"] * (len(SLY) + 1))
@example(values=[SOUND_JSON, None, SOUND_JSON[:-1], b"}", SOUND_JSON], keys=[b"s1"] * 5)
@example(values=[SOUND_JSON, b"{}", SOUND_JSON + SOUND_JSON, SOUND_JSON], keys=[b"s1"] * 4)
def test_whole_columns_agree_with_the_rules_one_by_one(
    lenient: bool, values: list[bytes | None], keys: list[bytes | None]
) -> None:
    batch = records(values, keys[: len(values)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "N_AT_LEAST", len(values) + 1)
        wanted = judge_of(lenient).judge(batch, NOW)
        patch.setattr(quick, "N_AT_LEAST", 1)
        for n_per_part in (1, 3):
            patch.setattr(quick, "N_PER_PART", n_per_part)
            found = judge_of(lenient).judge(batch, NOW)
            assert found.readings.equals(wanted.readings)
            assert found.rows.tolist() == wanted.rows.tolist()
            assert (found.rejections, found.times_us) == (wanted.rejections, wanted.times_us)


@settings(max_examples=400, deadline=None)
@given(value=VALUES)
@example(value=SAME_NUMBER_TWICE)
@example(value=SAME_NUMBER_TWICE.replace(b'"power":3', b'"pow\\u0065r":3'))
@example(value=b"[" * 100_000)
@example(value=b'{"x": "\x01"}')
@example(value=b'{"x": 01}')
@example(value=b'{"wind": 1' + b"0" * 5000 + b"}")
def test_the_quick_parser_agrees_with_the_rule(value: bytes | None) -> None:
    parser = RecordParser(["sensor_id", "event_time", "wind", "power"], "utf-8", 1_000_000)
    n_bytes = len(value or b"")
    (found,) = parser.rows([value], [n_bytes])
    assert same(found, parser.values(value, n_bytes))


@settings(max_examples=300, deadline=None)
@given(raws=st.lists(RAW_VALUES | st.just(ABSENT), max_size=5), name=st.sampled_from(sorted(LENIENT_FIELDS)))
def test_a_column_of_numbers_agrees_with_each_of_its_values(raws: list[Any], name: str) -> None:
    rule = NumberRule(name, LENIENT_FIELDS[name])
    values, faults = rule.column(raws)
    for place, raw in enumerate(raws):
        assert same(faults.get(place, float(values[place])), rule.value(raw))


@settings(max_examples=300, deadline=None)
@given(raws=st.lists(TIME_TEXTS, max_size=4) | st.lists(RAW_VALUES | st.just(ABSENT), max_size=4))
def test_a_column_of_times_agrees_with_each_of_its_values(raws: list[Any]) -> None:
    rule = MomentRule(LENIENT.time)
    times, faults = rule.column(raws, rule.latest_us(NOW))
    for place, raw in enumerate(raws):
        assert faults.get(place, int(times[place])) == rule.value(raw, rule.latest_us(NOW))


def same(one: Any, other: Any) -> bool:
    """Tell whether two values, or two faults' codes, are the same; NaN is the same as NaN."""
    if isinstance(one, Fault) or isinstance(other, Fault):
        return isinstance(one, Fault) and isinstance(other, Fault) and one[:2] == other[:2]
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        # A nested object is a fault either way, however its keys are kept.
        return isinstance(other, list)
    if isinstance(one, float) and isinstance(other, int | float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
