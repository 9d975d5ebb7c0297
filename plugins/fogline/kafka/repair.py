"""Quarantined records in a file, a JSON object a line: saved, repaired by people, sent again to where they came from.

A line has ``key`` and ``value`` as text, or ``key_base64`` and ``value_base64`` where they are not UTF-8;
``original_sha256`` of both as they came; the time, and the ``headers`` that say why the record was quarantined.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fogline.errors import FoglineError
from fogline.kafka.clients import ClientConfig, KafkaLayerError
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import open_consumer, partitions_of
from fogline.kafka.rejected_records import RejectedRecord
from fogline.kafka.topics import REPLAY_HEADER

N_PLACES_TOLD = 10


class RepairError(FoglineError):
    """A file of quarantined records can't be written, or not be sent; the message names the line and the remedy."""


class SavedFile:
    """A file that gets all records that pass, or is not written at all; cut records are only counted."""

    def __init__(self, path: Path) -> None:
        self._path, self._n_saved, self._cut = path, 0, list[str]()

    def each(self, records: Iterator[RejectedRecord]) -> Iterator[RejectedRecord]:
        """Let records pass.

        Raises
        ------
        RepairError
            The file can't be written.
        """
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                for record in records:
                    if record.is_cut:
                        self._cut.append(record.place)
                    else:
                        file.write(f"{saved_line(record)}\n")
                        self._n_saved += 1
                    yield record
            if self._n_saved:
                part.replace(self._path)
            else:
                part.unlink()
        except OSError as error:
            raise RepairError(f"{self._path}: can't be written: {error.strerror}") from error

    def told(self) -> str:
        """Return what was saved, and where the whole of the others lies."""
        said = f"Saved: {self._path}, {self._n_saved} records" if self._n_saved else f"Nothing to save to {self._path}"
        if not self._cut:
            return said
        places = ", ".join(self._cut[:N_PLACES_TOLD]) + (", …" if len(self._cut) > N_PLACES_TOLD else "")
        return (
            f"{said}\nNot saved: {len(self._cut)} too large, of which the quarantine has only the start; "
            f"until retention takes it the whole lies at {places}"
        )


def saved_line(record: RejectedRecord) -> str:
    """Return a record as a line to repair."""
    headers = {name: None if value is None else value.decode("utf-8", "replace") for name, value in record.headers}
    line = json.dumps(
        {
            **_named("key", record.key),
            **_named("value", record.value),
            "original_sha256": fingerprint(record.key, record.value),
            "quarantined_at": record.at.isoformat(),
            "headers": headers,
        },
        ensure_ascii=False,
    )
    # Nobody mends what can't be seen, such as a byte order mark.
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)


def _named(name: str, content: bytes | None) -> dict[str, str | None]:
    try:
        return {name: None if content is None else content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content or b"").decode()}


def fingerprint(key: bytes | None, value: bytes | None) -> str:
    """Return what tells whether key or value were changed."""
    parts = [None if part is None else base64.b64encode(part).decode() for part in (key, value)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def replay(config: ClientConfig, path: Path, *, as_is: bool) -> str:
    """Send the records of a file to the topics that they came from, all or, if a line has a fault, none.

    Parameters
    ----------
    as_is
        Whether a line that nobody changed is no fault.

    Returns
    -------
    str
        What was sent.

    Raises
    ------
    RepairError
        Names the first line with a fault, and the remedy.
    KafkaLayerError, KafkaAccessError
        A topic is not there, or a record was not delivered.
    """
    records, n_empty = records_of(path, as_is=as_is)
    left_out = f"; left out: {n_empty} without a value (nothing to send)" if n_empty else ""
    if not records:
        return f"{path}: nothing to send{left_out}"
    topics = sorted({record.topic for record in records})
    with open_consumer(config) as consumer:
        for topic in topics:
            partitions_of(consumer, topic)
    try:
        Publisher(config).publish(records)
    except KafkaLayerError as error:
        again = f"others of the {len(records)} may be there: send the file again, a fog drops what it has"
        raise KafkaLayerError(f"{error}; {again}") from error
    return f"Sent: {len(records)} records to {', '.join(topics)}{left_out}"


def records_of(path: Path, *, as_is: bool) -> tuple[list[Record], int]:
    """Return a file's records to send, and how many lines have no value.

    Raises
    ------
    RepairError
        As for `replay`.
    """
    try:
        # Some editors begin a file with a byte order mark.
        lines = path.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise RepairError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RepairError(f"{path}: is not UTF-8 ({error}); save it as UTF-8; nothing was sent") from error
    records: list[Record] = []
    faults: list[str] = []
    n_empty = 0
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            record = _record(text, as_is)
        except ValueError as error:
            faults.append(f"{path}, line {number}: {error}")
            continue
        n_empty += record is None
        records += [record] if record else []
    if faults:
        more = f"; so have {len(faults) - 1} more lines faults" if len(faults) > 1 else ""
        raise RepairError(f"{faults[0]}{more}; nothing was sent")
    return records, n_empty


def _record(text: str, as_is: bool) -> Record | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON ({error}); mend or delete it") from error
    if not isinstance(line, dict):
        raise ValueError("is no JSON object; mend or delete it")
    value = _content(line, "value", 'write it as text, or "value": null to send nothing')
    if value is None:
        return None
    key = _content(line, "key", "write the sensor that it is of")
    if not key:
        raise ValueError("key is empty; write the sensor that it is of")
    headers = line.get("headers")
    topic = headers.get("topic") if isinstance(headers, dict) else None
    if not topic or not isinstance(topic, str):
        raise ValueError("headers has no topic; write the one that the record came from")
    if not as_is:
        _check_changed(line, key, value)
    return Record(topic, key, value, headers=((REPLAY_HEADER, "1"),))


def _content(line: dict[str, Any], name: str, remedy: str) -> bytes | None:
    names = [one for one in (name, f"{name}_base64") if one in line]
    if len(names) != 1:
        raise ValueError(f"has both {name} and {name}_base64; delete one" if names else f"has no {name}; {remedy}")
    content = line[names[0]]
    if content is None:
        return None
    if not isinstance(content, str):
        found = json.dumps(content)[:40]
        raise ValueError(
            f"{names[0]} is no text but {found}; put it in quotes, with a backslash before each of its own"
        )
    try:
        return content.encode() if names[0] == name else base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{names[0]} is no base64 ({error}); mend it, or write {name} as text") from error
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} has half a character ({error.reason}); mend it") from error


def _check_changed(line: dict[str, Any], key: bytes, value: bytes) -> None:
    original = line.get("original_sha256")
    if not isinstance(original, str):
        raise ValueError("has no original_sha256, so nothing tells what was repaired; keep it as it was saved")
    if original == fingerprint(key, value):
        raise ValueError(
            "is as it was quarantined; repair its value, write null to send nothing, or give --as-is if the "
            "federation's rules were changed instead"
        )
