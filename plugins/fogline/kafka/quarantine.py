"""A quarantined record on ``sensor-data-rejected``: the bytes as they came, and in its headers why and from where."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from fogline.kafka.publish import Record
from fogline.kafka.topics import SENSOR_DATA_REJECTED


@dataclass(frozen=True)
class Quarantined:
    """Why a record was quarantined, by whom, and where it lies.

    Attributes
    ----------
    code
        What can be counted; `docs/data-quality.md` lists all.
    reason
        A sentence with the value and the remedy.
    field
        Empty for the record as a whole.
    n_bytes
        The value's size; of one above the federation's limit only the start is kept here.
    """

    federation: str
    fog: str
    code: str
    field: str
    reason: str
    topic: str
    partition: int
    offset: int
    n_bytes: int

    def record(self, key: bytes | None, value: bytes | None) -> Record:
        """Return the record to publish."""
        headers = tuple((one.name, str(getattr(self, one.name))) for one in fields(self))
        return Record(SENSOR_DATA_REJECTED, key, value, headers=headers)

    @classmethod
    def of_headers(cls, headers: Sequence[tuple[str, Any]]) -> Self:
        """Read a record's headers; what is not there is empty, and no number is 0."""
        found = {name: value.decode("utf-8", "replace") for name, value in headers if isinstance(value, bytes)}
        texts = {one.name: found.get(one.name, "") for one in fields(cls)}
        numbers = {name: _number(texts[name]) for name in ("partition", "offset", "n_bytes")}
        return cls(**{**texts, **numbers})  # type: ignore[arg-type]


def _number(text: str) -> int:
    # Anybody may write to the topic.
    return int(text) if text.isdecimal() and len(text) < 20 else 0
