"""Each kind of arrival, judged without a broker; `test_data_quality` does the same through a running fog."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from spark_jobs.fog.rules import ReadingJudge
from tests.spark_jobs.fog.rules.made import NOW, records
from tests.support.faults import DECLARED, DECLARED_KINDS, KEPT, MISSING_VALUE, PLAIN_KINDS, Kind, Reading
from tests.support.federations import small_federation

AT = dt.datetime(2024, 1, 1, 10, 0, 0, 250_000, tzinfo=dt.UTC)


def outcome(folder: Path, kind: Kind, **changes: Any) -> tuple[str, Any]:
    """Return the code, or `KEPT` with time and value."""
    own = small_federation(folder, **changes)
    judge = ReadingJudge(own.fields, own.readings, ["s1"])
    judged = judge.judge(records([kind.make(Reading("s1", AT, {"x": 3.0, "y": 7.0}, "x", 10))], [kind.key("s1")]), NOW)
    if judged.rejections:
        return judged.rejections[0].fault.kind, judged.rejections[0].fault.reason
    (row,) = judged.readings.to_pylist()
    return KEPT, (row["event_time"], row["x"], row["y"])


def require(kind: Kind, found: tuple[str, Any]) -> None:
    """Check an outcome."""
    values = {KEPT: 3.0, MISSING_VALUE: None, "kept as 1234.5": 1234.5}
    if kind.outcome in values:
        assert found == (KEPT, (AT, values[kind.outcome], 7.0))
    else:
        assert found[0] == kind.outcome
        assert found[1]


@pytest.mark.parametrize("kind", PLAIN_KINDS.values(), ids=PLAIN_KINDS)
def test_by_the_plain_rules(tmp_path: Path, kind: Kind) -> None:
    require(kind, outcome(tmp_path, kind))


@pytest.mark.parametrize("kind", DECLARED_KINDS.values(), ids=DECLARED_KINDS)
def test_by_declared_rules(tmp_path: Path, kind: Kind) -> None:
    require(kind, outcome(tmp_path, kind, **DECLARED))


@pytest.mark.parametrize(("unit", "per_s"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_one_instant_is_one_time_in_every_declared_unit(tmp_path: Path, unit: str, per_s: int) -> None:
    seconds = int(AT.timestamp())
    numbers = {AT.timestamp() * per_s: AT, seconds * per_s: AT.replace(microsecond=0)}
    for number, at in numbers.items():
        kind = Kind(KEPT, lambda r, number=number: r.time(number))
        found = outcome(tmp_path, kind, readings={"time": {"number": unit, "text": None}})
        assert found == (KEPT, (at, 3.0, 7.0))


@pytest.mark.parametrize(
    ("pattern", "zone", "text"),
    [
        ("%d/%m/%Y %H:%M:%S.%f", "Europe/Paris", "01/01/2024 11:00:00.25"),
        ("%m-%d-%Y %H:%M:%S.%f%z", None, "01-01-2024 05:00:00.25-0500"),
    ],
)
def test_a_declared_pattern_takes_that_and_nothing_else(
    tmp_path: Path, pattern: str, zone: str | None, text: str
) -> None:
    readings = {"time": {"text": pattern, "zone": zone}}
    assert outcome(tmp_path, Kind(KEPT, lambda r: r.time(text)), readings=readings) == (KEPT, (AT, 3.0, 7.0))
    iso = Kind("bad_time", lambda r: r.time(r.at.isoformat()))
    require(iso, outcome(tmp_path, iso, readings=readings))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_a_declared_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    kind = Kind(KEPT, lambda r: r.json(note="21 °C").decode().encode(encoding))
    require(kind, outcome(tmp_path, kind, readings={"encoding": encoding}))


def test_other_keys_for_sensor_and_time(tmp_path: Path) -> None:
    kind = Kind(KEPT, lambda r: r.json().replace(b"sensor_id", b"device").replace(b"event_time", b"ts"))
    require(kind, outcome(tmp_path, kind, readings={"sensor_key": "device", "time": {"key": "ts"}}))
