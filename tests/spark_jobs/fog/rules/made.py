"""Records as a fog's stream gives them, and rules to judge them by."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from fogline.federation.reading_rules import FieldRule, ReadingRules, TextForm, TimeRule
from spark_jobs.fog.rules import Judged, ReadingJudge

FIELDS = {"wind": FieldRule(min=0, max=60), "power": FieldRule(min=-200, max=2500)}
NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
SOUND = {"sensor_id": "s1", "event_time": "2026-01-01T10:00:00+00:00", "wind": 3.5, "power": 100}
# Everything that can be declared.
LENIENT_FIELDS = {
    "wind": FieldRule(
        min=0, max=60, text=TextForm(decimal=",", thousands=".", suffix="m/s"), missing=(-1, "n/a", "NaN")
    ),
    "power": FieldRule(min=-200, max=2500, names=("P", "Leistung"), required=True),
    "on": FieldRule.model_validate({"type": "boolean"}),
    "starts": FieldRule(type="integer", min=0, max=1e6, text=TextForm(thousands=",")),
}
LENIENT = ReadingRules(time=TimeRule(number="ms", zone="Europe/Paris"))


def records(values: Sequence[bytes | None], keys: Sequence[bytes | None] | bytes = b"s1") -> pa.Table:
    """Return a batch at offsets from 100 on."""
    n = len(values)
    keys = [keys] * n if isinstance(keys, bytes) else keys
    return pa.table(
        {
            "key": pa.array(keys, pa.binary()),
            "value": pa.array(values, pa.binary()),
            "n_bytes": pa.array([len(value or b"") for value in values], pa.int32()),
            "partition": pa.array([2] * n, pa.int32()),
            "offset": pa.array(range(100, 100 + n), pa.int64()),
        }
    )


def judge_of(lenient: bool = False) -> ReadingJudge:
    """Return the judge of a fog with one sensor."""
    return ReadingJudge(LENIENT_FIELDS if lenient else FIELDS, LENIENT if lenient else ReadingRules(), ["s1"])


def judge(*values: bytes | None, key: bytes | None = b"s1") -> Judged:
    """Judge records of one key by the plain rules."""
    return judge_of().judge(records(values, [key] * len(values)), NOW)


def sound_but(**changes: Any) -> bytes:
    """Return a sound reading with something changed."""
    return json.dumps({**SOUND, **changes}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def with_literal(field: str, literal: str) -> bytes:
    """Return a sound reading with a piece of JSON in the place of a value."""
    return sound_but(**{field: "HERE"}).replace(b'"HERE"', literal.encode())
