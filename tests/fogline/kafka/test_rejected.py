"""Quarantined records listed, saved, repaired in the file and sent again, on the real broker."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import pytest

from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import REPLAY_HEADER, SENSOR_DATA_REJECTED
from tests.support.quarantine_desk import Desk, Edit

GOOD = '{"sensor_id": "a", "power": 1.5}'


@pytest.fixture
def desk(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("FOGLINE_EDGE_KAFKA_BOOTSTRAP_SERVERS", "FOGLINE_EDGE_KAFKA_CONFIG", "FOGLINE_KAFKA_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FOGLINE_KAFKA_BOOTSTRAP_SERVERS", kafka)
    return Desk(kafka, tmp_path)


def put(**changes: Any) -> Edit:
    return lambda line: line.update(changes)


def test_a_repaired_record_lies_again_on_its_topic_with_its_key_and_marked(desk: Desk) -> None:
    desk.quarantine()
    desk.repair(put(value=GOOD))
    assert desk.replay() == f"Sent: 1 records to {desk.topic}\n"
    (record,) = desk.arrived()
    assert (record.key(), record.value()) == (b"a", GOOD.encode())
    assert record.headers() == [(REPLAY_HEADER, b"1")]


def test_it_shows_when_who_why_and_where_and_counts_the_codes(desk: Desk) -> None:
    desk.quarantine()
    desk.quarantine(code="conflict", offset=12345)
    desk.quarantine(code="conflict")
    said = desk.listed()
    assert f"{desk.topic}[2]@12345" in said and "number_as_text" in said and "fog-1" in said
    # Text that looks like rich's markup stays.
    assert "power: '1,5' is text; [say] fields.power.text" in said
    assert said.endswith("3 quarantined: 2 conflict, 1 number_as_text\n")
    assert f"{dt.datetime.now(dt.UTC):%Y-%m-%d}" in said


def test_what_a_sensor_sends_does_not_steer_the_terminal(desk: Desk) -> None:
    desk.quarantine(key=b"a\x1b[2J", reason="power: \x07")
    said = desk.listed()
    assert "\x1b" not in said and "\x07" not in said and r"a\x1b[2J" in said


@pytest.mark.parametrize("option", [("--fog", "fog-2"), ("--sensor", "b"), ("--code", "conflict")])
def test_it_shows_only_what_was_asked_for(desk: Desk, option: tuple[str, str]) -> None:
    desk.quarantine()
    desk.quarantine(key=b"b", fog="fog-2", code="conflict")
    assert "2 quarantined" in desk.listed()
    said = desk.listed(*option)
    assert "1 quarantined: 1 conflict" in said and f"{desk.topic}[2]@2" in said and f"{desk.topic}[2]@1" not in said


def test_it_shows_only_what_came_since_and_the_newest(desk: Desk) -> None:
    for _ in range(3):
        desk.quarantine()
    said = desk.listed("-n", "2")
    assert "The newest 2 of 3" in said and f"{desk.topic}[2]@1" not in said
    assert said.index("[2]@2") < said.index("[2]@3")
    now = dt.datetime.now(dt.UTC)
    assert "3 quarantined" in desk.listed("--since", (now - dt.timedelta(hours=1)).isoformat())
    assert desk.listed("--since", (now + dt.timedelta(hours=1)).isoformat()) == "No quarantined record matches\n"
    assert "'noon' is no time in ISO 8601" in desk.say("list", "--since", "noon", fails=True)


def test_a_record_that_a_repeated_batch_quarantined_again_counts_once(desk: Desk) -> None:
    desk.quarantine(offset=9)
    desk.quarantine(offset=9)
    assert "1 quarantined" in desk.listed()


def test_a_record_that_two_federations_quarantined_counts_for_each(desk: Desk) -> None:
    sensor = uuid.uuid4().hex
    desk.quarantine(key=sensor.encode(), offset=9)
    desk.quarantine(key=sensor.encode(), offset=9, federation="other")
    assert "2 quarantined" in desk.say("list", "--sensor", sensor)


def test_nothing_found_says_so_and_leaves_the_file_alone(desk: Desk) -> None:
    desk.file.write_text("before")
    assert desk.listed("--save", str(desk.file)).splitlines() == [
        "No quarantined record matches",
        f"Nothing to save to {desk.file}",
    ]
    assert [(one.name, one.read_text()) for one in desk.file.parent.iterdir()] == [("saved.jsonl", "before")]


def test_a_record_of_anybody_s_on_the_topic_is_shown_too(desk: Desk) -> None:
    sensor = uuid.uuid4().hex
    odd = (("offset", "x"), ("partition", "9" * 5000), ("code", ""))
    Publisher(desk.config).publish([Record(SENSOR_DATA_REJECTED, sensor, b"?", headers=odd)])
    assert "1 quarantined: 1 no code" in desk.say("list", "--sensor", sensor)


def test_bytes_that_are_no_text_are_saved_and_come_back_as_they_were(desk: Desk) -> None:
    desk.quarantine(value=b"\xff\x00", key=b"\xfe")
    desk.quarantine(value="\ufeff°C\u2028".encode())
    first, second = desk.save()
    assert (first["value_base64"], first["key_base64"]) == ("/wA=", "/g==")
    assert second["value"] == "\ufeff°C\u2028" and r"\ufeff°C\u2028" in desk.file.read_text()
    assert first["headers"]["reason"] == desk.why.reason and first["headers"]["offset"] == "1"
    assert desk.replay("--as-is").startswith("Sent: 2 records")
    assert {(one.key(), one.value()) for one in desk.arrived()} == {
        (b"\xfe", b"\xff\x00"),
        (b"a", "\ufeff°C\u2028".encode()),
    }


def test_a_record_of_which_only_the_start_is_kept_is_not_saved_but_its_place_is_told(desk: Desk) -> None:
    desk.quarantine(offset=77, n_bytes=50_000)
    said = desk.listed("--save", str(desk.file))
    assert f"the whole lies at {desk.topic}[2]@77" in said and "Not saved: 1 too large" in said
    assert not desk.file.exists()
    desk.quarantine()
    assert "Saved: " in desk.listed("--save", str(desk.file)) and len(desk.file.read_text().splitlines()) == 1


def test_lines_without_a_value_are_left_out_and_counted(desk: Desk) -> None:
    desk.quarantine(value=None, key=None)
    desk.quarantine()
    desk.quarantine()
    desk.repair(put(), put(value=GOOD), put(value=None))
    assert desk.replay() == f"Sent: 1 records to {desk.topic}; left out: 2 without a value (nothing to send)\n"
    assert len(desk.arrived()) == 1
    desk.file.write_text("\n")
    assert desk.replay() == f"{desk.file}: nothing to send\n"


def test_a_record_whose_key_alone_was_repaired_is_sent(desk: Desk) -> None:
    desk.quarantine(key=None)
    desk.repair(put(key="a"))
    desk.replay()
    assert [one.key() for one in desk.arrived()] == [b"a"]


def without(name: str) -> Edit:
    def edit(line: dict[str, Any]) -> None:
        line["value"] = GOOD
        del line[name]

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (put(), "is as it was quarantined; repair its value, write null to send nothing, or give --as-is"),
        (without("value"), 'has no value; write it as text, or "value": null to send nothing'),
        (without("key"), "has no key; write the sensor that it is of"),
        (put(key="", value=GOOD), "key is empty; write the sensor"),
        (put(key=None, value=GOOD), "key is empty; write the sensor"),
        (put(headers={}, value=GOOD), "headers has no topic; write the one that the record came from"),
        (without("headers"), "headers has no topic"),
        (without("original_sha256"), "has no original_sha256, so nothing tells what was repaired"),
        (put(value={"power": 1.5}), 'value is no text but {"power": 1.5}; put it in quotes'),
        (put(value_base64="AA=="), "has both value and value_base64; delete one"),
        (put(value=GOOD, key="\ud800"), "key has half a character"),
    ],
)
def test_one_line_with_a_fault_keeps_all_from_being_sent(desk: Desk, edit: Edit, says: str) -> None:
    desk.quarantine()
    desk.quarantine()
    desk.repair(put(value=GOOD), edit)
    said = desk.replay(fails=True)
    assert said.startswith(f"Error: {desk.file}, line 2: ") and says in said and "nothing was sent" in said
    assert len(said.splitlines()) == 1 and not desk.arrived()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"key": "a"', "line 1: is no JSON ("),
        (b'[1]\n{"key": 1}', "line 1: is no JSON object; mend or delete it; so have 1 more lines faults"),
        (b'{"value_base64": "?"}', "line 1: value_base64 is no base64"),
        (b"[" * 100_000, "line 1: is no JSON ("),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_saved_one_is_refused(desk: Desk, content: bytes, says: str) -> None:
    desk.file.write_bytes(content)
    said = desk.replay(fails=True)
    assert says in said and "nothing was sent" in said and len(said.splitlines()) == 1


def test_a_topic_that_is_not_there_keeps_all_from_being_sent(desk: Desk) -> None:
    desk.quarantine()
    desk.quarantine(topic="sensors-gone")
    desk.repair(put(value=GOOD), put(value=GOOD))
    said = desk.replay(fails=True)
    assert said.startswith("Error: topic sensors-gone: ") and not desk.arrived()


def test_a_file_that_can_not_be_written_is_one_line(desk: Desk) -> None:
    desk.quarantine()
    said = desk.say("list", "--save", "/dev/full/x", fails=True)
    assert said == "Error: /dev/full/x: can't be written: Not a directory\n"


def test_the_edge_s_broker_is_asked_where_there_is_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOGLINE_EDGE_KAFKA_BOOTSTRAP_SERVERS", desk.config["bootstrap.servers"])
    monkeypatch.setenv("FOGLINE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    desk.quarantine()
    assert "1 quarantined" in desk.listed()
    monkeypatch.delenv("FOGLINE_EDGE_KAFKA_BOOTSTRAP_SERVERS")
    monkeypatch.delenv("FOGLINE_KAFKA_BOOTSTRAP_SERVERS")
    said = desk.say("list", fails=True)
    assert said == "Error: FOGLINE_KAFKA_BOOTSTRAP_SERVERS is not set; give it host:port of the broker\n"
