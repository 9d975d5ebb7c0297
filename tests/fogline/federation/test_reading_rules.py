"""What a federation file may say of its readings; each mistake is one line with the place and the remedy."""

from pathlib import Path
from typing import Any

import pytest

from fogline.federation import load_federation
from fogline.federation.files import FederationError
from tests.support.faults import DECLARED
from tests.support.federations import SMALL, small_federation, write_federation

X = SMALL["fields"]["x"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fields": {"x": {"min": 3, "max": 1}}}, "fields.x: min 3 is above max 1; swap them"),
        ({"fields": {"x": {**X, "text": {"decimal": ",", "thousands": ","}}}}, "decimal and thousands are both ','"),
        ({"fields": {"x": {**X, "other_units": {"K": {}}}}}, "scale 1 and offset 0 is the field's own unit"),
        ({"fields": {"x": {**X, "names": ["event_time"]}}}, "event_time is readings.time.key and a name of fields.x"),
        (
            {"fields": {"x": {**X, "names": ["y"]}, "y": X}},
            "y is a name of fields.x and a name of fields.y; rename one",
        ),
        ({"fields": {"x": {**X, "names": ['a"b']}}}, "fields.x.names.0: "),
        ({"readings": {"encoding": "utf-9"}}, "readings.encoding: 'utf-9' is no encoding that Python knows"),
        ({"readings": {"encoding": "base64"}}, "readings.encoding: 'base64' is no encoding that Python knows"),
        ({"readings": {"sensor_key": "event_time"}}, "event_time is readings.sensor_key and readings.time.key"),
        ({"readings": {"time": {"zone": "Europe/Pari"}}}, "'Europe/Pari' is no time zone; give one as Europe/Paris"),
        ({"readings": {"time": {"text": None}}}, "text and number are both null, so no time could be read"),
        ({"readings": {"time": {"text": "%d/%m/%Y %H:%M"}}}, "has no offset (%z); say in which zone it is local"),
        ({"readings": {"time": {"text": "%H:%M", "zone": "UTC"}}}, "leaves out the day, the hour or the minute"),
        ({"readings": {"time": {"text": "%Q", "zone": "UTC"}}}, "is no pattern of strptime"),
        ({"readings": {"time": {"earliest": "1960-01-01T00:00:00Z"}}}, "before 1970 no reading is taken"),
        ({"readings": {"leave_out": ["old"]}}, "readings.leave_out.0: "),
        ({"readings": {"gap_after": "PT0S"}}, "readings.gap_after: "),
        ({"readings": {"max_byte": 3}}, "readings.max_byte: is not a key known here; did you mean max_bytes?"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FederationError) as raised:
        load_federation(write_federation(tmp_path, **{"fields": {"x": X, "y": X}, **changes}))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_declared_travels_with_a_plan_unchanged(tmp_path: Path) -> None:
    own = small_federation(tmp_path, **DECLARED).specification()
    again = type(own).model_validate_json(own.model_dump_json())
    assert again == own
    assert again.sha256() == own.sha256()
    assert again.fields["on"].max == 1


def test_one_fog_of_a_topic_is_its_warden_unless_strangers_are_ignored(tmp_path: Path) -> None:
    fogs = {"b": {"sensors": ["s1"]}, "a": {"sensors": ["s2"]}, "c": {"sensors": ["s3"], "topic": "other"}}
    own = small_federation(tmp_path, fogs=fogs)
    assert (own.warden("sensor-data"), own.warden("other")) == ("a", "c")
    assert set(own.sensors_on("sensor-data")) == {"s1", "s2"}
    assert small_federation(tmp_path, fogs=fogs, readings={"unknown_sensors": "ignore"}).warden("other") is None
