"""Each kind of arrival through a real broker and a running fog: the right value, or its code and its place."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import REPLAY_HEADER
from spark_jobs.fog.rules import RejectionKind
from spark_jobs.fog.unused import DUPLICATE, LATE
from spark_jobs.fog_readings import main as show_readings
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.conftest import REPOSITORY
from tests.spark_jobs.fog.made import at, span
from tests.spark_jobs.fog.process import Farm, FogProcess
from tests.support.faults import DECLARED, DECLARED_KINDS, KEPT, MISSING_VALUE, PLAIN_KINDS, Kind, Reading

StartFog = Callable[..., FogProcess]
MINUTE = dt.timedelta(minutes=1)
FIELDS = {"x": 3.0, "y": 7.0}
# What only a sequence of records shows.
SEQUENCES = {
    "sent twice": DUPLICATE,
    "sent twice with other values": "conflict",
    "later than the lateness": LATE,
    "later than the lateness, sent again on purpose": KEPT,
    "out of order within the lateness": KEPT,
}


def sound(day: float, **fields: float) -> Reading:
    return Reading("s1", at(day), {**FIELDS, **fields}, hit="x", largest=10)


def send_kinds(farm: Farm, kinds: Mapping[str, Kind]) -> dict[str, Reading]:
    """Send a record of each kind, a minute of event time apart, at the offsets 0, 1, 2 …"""
    readings = {name: Reading("s1", at(0) + i * MINUTE, FIELDS, "x", 10) for i, name in enumerate(kinds)}
    publisher = Publisher({"bootstrap.servers": farm.bootstrap_servers, "message.max.bytes": "1000000"})
    publisher.publish([Record(farm.topic, kind.key("s1"), kind.make(readings[name])) for name, kind in kinds.items()])
    return readings


def require_kinds(
    farm: Farm, kinds: Mapping[str, Kind], readings: Mapping[str, Reading], folder: Path, n_more: int = 0
) -> None:
    """Check what became of each kind, in the quarantine (that has so many more) and in the store."""
    names = list(kinds)
    refused = [name for name, kind in kinds.items() if kind.outcome in set(RejectionKind)]
    found = [one for one in farm.rejected(len(refused) + n_more) if int(one[1]["offset"]) < len(names)]
    assert {names[int(headers["offset"])]: headers["code"] for _, headers in found} == {
        name: kinds[name].outcome for name in refused
    }
    for value, headers in found:
        sent = kinds[names[int(headers["offset"])]].make(readings[names[int(headers["offset"])]])
        assert value == (sent[:1024] if sent and headers["code"] == "too_large" else sent)
        assert headers["reason"] and headers["partition"] == "0"
        assert (headers["federation"], headers["fog"]) == (farm.own.federation, "fog-a")
    stored = made.store(farm.own, folder).read_with_places([span(0, 365)]).to_pylist()
    kept = {names[row["kafka_offset"]]: row for row in stored if row["kafka_offset"] < len(names)}
    assert set(kept) == set(names) - set(refused)
    for name, row in kept.items():
        wanted = {KEPT: 3.0, MISSING_VALUE: None, "kept as 1234.5": 1234.5}[kinds[name].outcome]
        assert (row["event_time"], row["x"], row["y"]) == (readings[name].at, wanted, 7.0), name


def test_by_the_plain_rules_and_each_record_is_accounted_for(
    make_farm: Callable[..., Farm], start_fog: StartFog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    farm = make_farm(lateness="P1D")
    readings = send_kinds(farm, PLAIN_KINDS)
    n_kinds = len(readings)
    sequence = [
        sound(5).json(),
        sound(5.1).json(),
        sound(5.1).json(),
        sound(5.1, x=4.0).json(),
        sound(4.5).json(),
        sound(3).json(),
    ]
    farm.send(("s1", value) for value in sequence)
    farm.send([("s1", sound(3).json())], headers=((REPLAY_HEADER, "1"),))
    farm.send_readings(made.line(farm.own, "s3", 0, 1))
    fog = start_fog(farm)
    fog.wait_for("batch 0: ")
    fog.terminate()
    assert "Traceback" not in fog.said()

    folder = tmp_path / "data" / farm.own.federation / "fog-a"
    conflict = n_kinds + 3
    found = {int(headers["offset"]): headers for _, headers in farm.rejected(n_refused(PLAIN_KINDS) + 1)}
    assert found[conflict]["code"] == "conflict" and "has other values" in found[conflict]["reason"]
    require_kinds(farm, PLAIN_KINDS, readings, folder, n_more=1)
    stored = made.store(farm.own, folder).read_with_places([span(2, 6)]).to_pylist()
    assert {row["kafka_offset"] - n_kinds: row["x"] for row in stored} == {0: 3.0, 1: 3.0, 4: 3.0, 6: 3.0}

    unused = made.unused(farm.own, folder)
    verdicts = Counter(unused.read_dates(unused.dates())["verdict"].to_pylist())
    wanted = Counter(kind.outcome for kind in PLAIN_KINDS.values() if kind.outcome in set(RejectionKind))
    assert verdicts == wanted + Counter({DUPLICATE: 1, "conflict": 1, LATE: 1})
    require_shown(farm, tmp_path, n_kinds + 7 + 24, verdicts, capsys)


def require_shown(
    farm: Farm, folder: Path, n_received: int, verdicts: Counter[str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Check what ``./fogline readings`` runs."""
    arguments = ["--federation", farm.own.federation, "--fog", "fog-a", "--federations", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOGLINE_FOG_DATA", str(folder / "data"))
        assert show_readings(arguments) == 0
    said = capsys.readouterr().out
    refused = sum(verdicts.values()) - verdicts[DUPLICATE] - verdicts[LATE]
    (line,) = [line for line in said.splitlines() if line.startswith(" fog-a ")]
    _, received, used, *others, twice, late, n_refused_, lost = line.split()
    assert (int(received), int(twice), int(late), int(n_refused_), int(lost)) == (n_received, 1, 1, refused, 0)
    assert int(used) + sum(map(int, others)) == n_received - refused - 2
    assert f"not_json {verdicts['not_json']}" in said


def n_refused(kinds: Mapping[str, Kind]) -> int:
    return sum(kind.outcome in set(RejectionKind) for kind in kinds.values())


def test_by_what_a_federation_can_declare(make_farm: Callable[..., Farm], start_fog: StartFog, tmp_path: Path) -> None:
    farm = make_farm(**DECLARED)
    readings = send_kinds(farm, DECLARED_KINDS)
    fog = start_fog(farm)
    fog.wait_for("batch 0: ")
    fog.terminate()
    require_kinds(farm, DECLARED_KINDS, readings, tmp_path / "data" / farm.own.federation / "fog-a")


def test_the_table_in_the_docs_has_each_kind_and_each_code() -> None:
    text = (REPOSITORY / "docs" / "data-quality.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| `?([^|`]+)`? \|$", text, re.MULTILINE)
    kinds = {name: kind.outcome for name, kind in (PLAIN_KINDS | DECLARED_KINDS).items()}
    documented = {name: outcome for name, outcome in rows if name in kinds or name in SEQUENCES}
    assert documented == {**kinds, **SEQUENCES}
    assert set(RejectionKind) <= set(documented.values())
