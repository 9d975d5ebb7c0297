"""How readings arrive in the field: each kind of fault, and of oddity that is none, made from a sound reading."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

KEPT, MISSING_VALUE = "kept", "kept, without a value"
NOBODY = "nobody-knows-it"


@dataclass(frozen=True)
class Reading:
    """A sound reading of a federation by the plain rules; ``hit`` is the field that a fault is about."""

    sensor: str
    at: dt.datetime
    fields: Mapping[str, float]
    hit: str
    largest: float = 60.0

    def json(self, **changes: Any) -> bytes:
        """Return it as sensors send it, with some keys changed; one changed to `ABSENT` is left out."""
        content = {"sensor_id": self.sensor, "event_time": self.at.isoformat(), **self.fields, **changes}
        kept = {name: value for name, value in content.items() if value is not ABSENT}
        return json.dumps(kept, ensure_ascii=False).encode()

    def literal(self, text: str) -> bytes:
        """Return it with a piece of JSON as the field's value."""
        return self.json(**{self.hit: "HERE"}).replace(b'"HERE"', text.encode())

    def time(self, value: Any) -> bytes:
        """Return it with another event time."""
        return self.json(event_time=value)


ABSENT = object()
Make = Callable[[Reading], bytes | None]


@dataclass(frozen=True)
class Kind:
    """A kind of arrival.

    Attributes
    ----------
    make
        The record's value, from a sound reading.
    outcome
        The code of `docs/data-quality.md`; `KEPT` with the sound values; `MISSING_VALUE` where the field hit has none.
    key
        The record's key, from the sensor.
    """

    outcome: str
    make: Make
    key: Callable[[str], bytes | None] = field(default=lambda sensor: sensor.encode())


def _wrapped(value: bytes, before: bytes, after: bytes = b"") -> bytes:
    return before + value + after


def _last_key_again(reading: Reading, key: bytes) -> bytes:
    return reading.json().removesuffix(b"}") + b"," + key + b": 1}"


RECORDS: dict[str, Kind] = {
    "tombstone": Kind("no_value", lambda r: None),
    "empty value": Kind("not_json", lambda r: b""),
    "blank value": Kind("not_json", lambda r: b" \n"),
    "text that is no JSON": Kind("not_json", lambda r: b"wind 3.5 m/s"),
    "cut JSON": Kind("not_json", lambda r: r.json()[:-9]),
    "nested too deeply": Kind("not_json", lambda r: b"[" * 10_000),
    "null": Kind("not_an_object", lambda r: b"null"),
    "array": Kind("not_an_object", lambda r: _wrapped(r.json(), b"[", b"]")),
    "text in quotes": Kind("not_an_object", lambda r: b'"text"'),
    "several objects in one value": Kind("several_values", lambda r: r.json() + r.json()),
    "duplicated key": Kind("duplicated_key", lambda r: _last_key_again(r, json.dumps(r.hit).encode())),
    "duplicated key, once with an escape": Kind(
        "duplicated_key", lambda r: _last_key_again(r, f'"\\u{ord(r.hit[0]):04x}{r.hit[1:]}"'.encode())
    ),
    "byte order mark": Kind(KEPT, lambda r: _wrapped(r.json(), b"\xef\xbb\xbf")),
    "broken UTF-8": Kind("bad_encoding", lambda r: r.json(note="HERE").replace(b"HERE", b"\xc3\x28")),
    "Latin-1": Kind("bad_encoding", lambda r: r.json(note="21 °C").decode().encode("latin-1")),
    "UTF-16": Kind("bad_encoding", lambda r: r.json().decode().encode("utf-16")),
    "oversized value": Kind("too_large", lambda r: r.json(note="x" * 20_000)),
    "no key": Kind("no_key", lambda r: r.json(), lambda sensor: None),
    "unknown sensor": Kind("unknown_sensor", lambda r: r.json(sensor_id=NOBODY), lambda sensor: NOBODY.encode()),
    "key of no text": Kind("unknown_sensor", lambda r: r.json(), lambda sensor: b"\xff\xfe"),
    "key that disagrees with the payload": Kind("other_key", lambda r: r.json(sensor_id="another")),
    "sensor absent": Kind("missing", lambda r: r.json(sensor_id=ABSENT)),
    "sensor as a number": Kind("wrong_type", lambda r: r.json(sensor_id=17)),
}
VALUES: dict[str, Kind] = {
    "number as text": Kind("number_as_text", lambda r: r.literal('"3.5"')),
    "decimal comma": Kind("number_as_text", lambda r: r.literal('"3,5"')),
    "thousands sign": Kind("number_as_text", lambda r: r.literal('"1.234,5"')),
    "unit suffix": Kind("number_as_text", lambda r: r.literal('"21 °C"')),
    "quoted NaN": Kind("wrong_type", lambda r: r.literal('"NaN"')),
    "bare NaN": Kind("not_finite", lambda r: r.literal("NaN")),
    "bare Infinity": Kind("not_finite", lambda r: r.literal("-Infinity")),
    "overflow": Kind("not_finite", lambda r: r.literal("1e999")),
    "integer beyond every float": Kind("not_finite", lambda r: r.literal("1" + "0" * 400)),
    "sentinel value": Kind("out_of_range", lambda r: r.literal("-9999")),
    "out of range": Kind("out_of_range", lambda r: r.json(**{r.hit: r.largest * 1.01})),
    "boolean for a number": Kind("wrong_type", lambda r: r.literal("true")),
    "array for a number": Kind("wrong_type", lambda r: r.literal("[3.5]")),
    "integer for a number": Kind(KEPT, lambda r: r.literal(f"{r.fields[r.hit]:.0f}")),
    "null for a number": Kind(MISSING_VALUE, lambda r: r.literal("null")),
    "missing field": Kind(MISSING_VALUE, lambda r: r.json(**{r.hit: ABSENT})),
    "renamed field": Kind("renamed_field", lambda r: r.json(**{r.hit: ABSENT, f"{r.hit.upper()}-": 3.5})),
    "extra field": Kind(KEPT, lambda r: r.json(firmware="2.1", rssi=-70)),
}
TIMES: dict[str, Kind] = {
    "time with another offset": Kind(
        KEPT, lambda r: r.time(r.at.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30))).isoformat())
    ),
    "time with nanoseconds": Kind(KEPT, lambda r: r.time(f"{r.at:%Y-%m-%dT%H:%M:%S}.{r.at:%f}000Z")),
    "time absent": Kind("missing", lambda r: r.time(ABSENT)),
    "time null": Kind("missing", lambda r: r.time(None)),
    "time in seconds": Kind("bad_time", lambda r: r.time(int(r.at.timestamp()))),
    "time in milliseconds": Kind("bad_time", lambda r: r.time(int(r.at.timestamp() * 1000))),
    "time of digits in quotes": Kind("bad_time", lambda r: r.time(str(int(r.at.timestamp())))),
    "time without a zone": Kind("bad_time", lambda r: r.time(f"{r.at:%Y-%m-%dT%H:%M:%S}")),
    "date alone": Kind("bad_time", lambda r: r.time(f"{r.at:%Y-%m-%d}")),
    "day and month in doubt": Kind("bad_time", lambda r: r.time("01/02/2024 10:00")),
    "impossible date": Kind("bad_time", lambda r: r.time("2024-02-30T00:00:00Z")),
    "time zero": Kind("bad_time", lambda r: r.time(0)),
    "time as true": Kind("wrong_type", lambda r: r.time(True)),
    "time in the future": Kind("future_time", lambda r: r.time("2999-01-01T00:00:00Z")),
    "time of 1970": Kind("ancient_time", lambda r: r.time("1970-01-01T00:00:10Z")),
    "time before 1970": Kind("ancient_time", lambda r: r.time("1931-01-01T00:00:00Z")),
}
PLAIN_KINDS = {**RECORDS, **VALUES, **TIMES}

PARIS = ZoneInfo("Europe/Paris")
# By the rules of `DECLARED`: what a federation can declare.
DECLARED: dict[str, Any] = {
    "fields": {
        "x": {
            "min": -10,
            "max": 2000,
            "unit": "°C",
            "text": {"decimal": ",", "thousands": ".", "suffix": "°C"},
            "missing": [-999, "n/a", "NaN"],
        },
        "y": {"min": -100, "max": 100, "names": ["Y1", "yield"], "required": True},
        "on": {"type": "boolean"},
        "starts": {"type": "integer", "min": 0, "max": 1_000_000},
    },
    "readings": {"time": {"text": "iso8601", "number": "ms", "zone": "Europe/Paris"}},
}
DECLARED_KINDS: dict[str, Kind] = {
    "declared text": Kind(KEPT, lambda r: r.literal(json.dumps(f"{r.fields['x']:.1f} °C".replace(".", ",")))),
    "declared text with a thousands sign": Kind("kept as 1234.5", lambda r: r.literal('"1.234,5 °C"')),
    "declared text that is grouped wrongly": Kind("not_a_number", lambda r: r.literal('"12.34,5 °C"')),
    "declared text with the other decimal sign": Kind("not_a_number", lambda r: r.literal('"1,234.5 °C"')),
    "declared text without its suffix": Kind("not_a_number", lambda r: r.literal('"3,5"')),
    "declared sentinel": Kind(MISSING_VALUE, lambda r: r.literal("-999")),
    "declared text for none": Kind(MISSING_VALUE, lambda r: r.literal('" n/a "')),
    "declared NaN": Kind(MISSING_VALUE, lambda r: r.literal("NaN")),
    "boolean": Kind(KEPT, lambda r: r.json(on=True)),
    "number for a boolean": Kind("wrong_type", lambda r: r.json(on=1)),
    "whole number": Kind(KEPT, lambda r: r.json(starts=3.0)),
    "fraction for an integer": Kind("not_whole", lambda r: r.json(starts=3.5)),
    "declared other name": Kind(KEPT, lambda r: r.json(y=ABSENT, Y1=r.fields["y"])),
    "two names at once": Kind("ambiguous_field", lambda r: r.json(Y1=1)),
    "required field absent": Kind("missing", lambda r: r.json(y=ABSENT)),
    "required field null": Kind("missing", lambda r: r.json(y=None)),
    "declared milliseconds": Kind(KEPT, lambda r: r.time(int(r.at.timestamp() * 1000))),
    "seconds for milliseconds": Kind("ancient_time", lambda r: r.time(int(r.at.timestamp()))),
    "microseconds for milliseconds": Kind("future_time", lambda r: r.time(int(r.at.timestamp() * 1_000_000))),
    "negative time": Kind("ancient_time", lambda r: r.time(-1)),
    "local time": Kind(KEPT, lambda r: r.time(f"{r.at.astimezone(PARIS):%Y-%m-%d %H:%M:%S.%f}")),
    "local time that comes twice": Kind("ambiguous_time", lambda r: r.time("2024-10-27T02:30:00")),
    "local time that never comes": Kind("ambiguous_time", lambda r: r.time("2024-03-31T02:30:00")),
}
