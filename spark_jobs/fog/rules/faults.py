"""Why a record is no reading: a code that can be counted, the field, and a sentence with the value and the remedy."""

from enum import StrEnum
from typing import Any, NamedTuple

N_SHOWN = 40


class RejectionKind(StrEnum):
    """The codes; `docs/data-quality.md` has a row for each."""

    NO_VALUE = "no_value"
    TOO_LARGE = "too_large"
    BAD_ENCODING = "bad_encoding"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    SEVERAL_VALUES = "several_values"
    DUPLICATED_KEY = "duplicated_key"
    NO_KEY = "no_key"
    UNKNOWN_SENSOR = "unknown_sensor"
    OTHER_KEY = "other_key"
    MISSING = "missing"
    RENAMED_FIELD = "renamed_field"
    AMBIGUOUS_FIELD = "ambiguous_field"
    WRONG_TYPE = "wrong_type"
    NUMBER_AS_TEXT = "number_as_text"
    NOT_A_NUMBER = "not_a_number"
    NOT_WHOLE = "not_whole"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    BAD_TIME = "bad_time"
    AMBIGUOUS_TIME = "ambiguous_time"
    FUTURE_TIME = "future_time"
    ANCIENT_TIME = "ancient_time"
    CONFLICT = "conflict"


class Fault(NamedTuple):
    """What is wrong with one record; ``field`` is empty for the record as a whole."""

    kind: RejectionKind
    field: str
    reason: str


class Rejection(NamedTuple):
    """A fault and the record's place in its batch."""

    row: int
    fault: Fault


def shown(value: Any) -> str:
    """Return a value as a sentence may hold it: short, on one line, of any bytes."""
    text = ascii(value) if isinstance(value, bytes) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= N_SHOWN else f"{text[:N_SHOWN]}…"
