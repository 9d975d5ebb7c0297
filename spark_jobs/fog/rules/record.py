"""From bytes to the values under the declared keys, or to what is wrong with the record as a whole.

`RecordParser.values` is the rule. `RecordParser.rows` is the same for a batch: what is plainly sound is read by a
faster parser, which knows less of what may be wrong; everything else goes by the rule.
"""

import json
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from spark_jobs.fog.rules.faults import Fault, RejectionKind, shown
from spark_jobs.fog.rules.number import ABSENT

UTF_8 = "utf-8"
BOM = "\ufeff"
SPACE = " \t\n\r"
# Longer integers are far beyond every float, and Python refuses to read them.
N_DIGITS = 4_000

_SEPARATORS = str.maketrans("", "", "_-. ")

Values = tuple[Any, ...]


class RecordParser:
    """Reads the values under certain keys.

    Parameters
    ----------
    keys
        The keys, in the order of the values.
    encoding
        Of all records; UTF-8 may begin with a byte order mark.
    max_bytes
        A larger record is not parsed.
    """

    def __init__(self, keys: Sequence[str], encoding: str, max_bytes: int) -> None:
        self._places = {key: place for place, key in enumerate(keys)}
        self._plain_keys = {_plain(key): key for key in keys}
        self._encoding, self._max_bytes = encoding, max_bytes
        names = [f"k{place}" for place in range(len(keys))]
        row = msgspec.defstruct(
            "Row", [(name, Any, ABSENT) for name in names], rename=dict(zip(names, keys, strict=True)), gc=False
        )
        self._decode = msgspec.json.Decoder(row).decode
        self._get = attrgetter(*names)
        self._is_utf_8 = encoding == UTF_8
        self._n_quotes = 2 * len(keys) + 4
        self._quoted = [json.dumps(key, ensure_ascii=False).encode() for key in keys]

    def rows(self, values: Sequence[bytes | None], n_bytes: Sequence[int]) -> Iterator[Values | Fault]:
        """Give the values of each record, or its fault.

        Parameters
        ----------
        values
            The records; one above the limit may be cut.
        n_bytes
            Each record's size.
        """
        for raw, n in zip(values, n_bytes, strict=True):
            quick = self._quick(raw) if raw is not None and n <= self._max_bytes else None
            yield self.values(raw, n) if quick is None else quick

    def _quick(self, raw: bytes) -> Values | None:
        # With an escape in it a key may be written in several ways.
        if not self._is_utf_8 or b"\\" in raw:
            return None
        try:
            if not raw.isascii():
                # msgspec skips what is not asked for without looking whether that is UTF-8.
                raw.decode()
            values: Values = self._get(self._decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return None if self._may_hide(raw, values) else values

    def _may_hide(self, raw: bytes, values: Values) -> bool:
        # Of two values under one key msgspec takes the last, and it tells nothing of other keys. With all keys there,
        # and no quotes but theirs and those of two texts (sensor and time, commonly), there is nothing else.
        n_quotes = raw.count(b'"')
        if ABSENT not in values:
            if n_quotes == self._n_quotes and type(values[0]) is type(values[1]) is str:
                return False
            return any(raw.count(quoted) > 1 for quoted in self._quoted)
        n_keys = sum(value is not ABSENT for value in values)
        return n_quotes != 2 * (n_keys + sum(type(value) is str for value in values))

    def values(self, raw: bytes | None, n_bytes: int) -> Values | Fault:
        """Return the values under the keys, `ABSENT` where there is none, or the record's fault."""
        if raw is None:
            return _fault(RejectionKind.NO_VALUE, "the record has no value (a tombstone)")
        if n_bytes > self._max_bytes:
            return _fault(
                RejectionKind.TOO_LARGE,
                f"{n_bytes} bytes are above readings.max_bytes, {self._max_bytes}; the whole lies at its offset",
            )
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            return _fault(
                RejectionKind.BAD_ENCODING,
                f"byte {error.start} is not {self._encoding}: {shown(raw[:16])}; declare readings.encoding",
            )
        return self._parsed(text.removeprefix(BOM))

    def _parsed(self, text: str) -> Values | Fault:
        if not text.strip(SPACE):
            return _fault(RejectionKind.NOT_JSON, "the value is empty")
        try:
            pairs = json.loads(text, object_pairs_hook=_Object, parse_int=_integer)
        except json.JSONDecodeError as error:
            if error.msg == "Extra data":
                return _fault(
                    RejectionKind.SEVERAL_VALUES,
                    f"something follows the first value: {shown(text[error.pos :])}; send one a record",
                )
            return _fault(
                RejectionKind.NOT_JSON, f"it is no JSON ({error.msg} at character {error.pos}): {shown(text)}"
            )
        except RecursionError:
            return _fault(RejectionKind.NOT_JSON, "it is nested too deeply")
        if not isinstance(pairs, _Object):
            return _fault(RejectionKind.NOT_AN_OBJECT, f"{shown(pairs)} is no JSON object")
        return self._of_pairs(pairs)

    def _of_pairs(self, pairs: "_Object") -> Values | Fault:
        found: list[Any] = [ABSENT] * len(self._places)
        others = []
        for key, value in pairs:
            place = self._places.get(key)
            if place is None:
                others.append(key)
                continue
            if found[place] is not ABSENT:
                return Fault(RejectionKind.DUPLICATED_KEY, key, f"{key}: it is there twice; send it once")
            found[place] = value
        for key in others:
            renamed = self._plain_keys.get(_plain(key))
            if renamed is not None and found[self._places[renamed]] is ABSENT:
                reason = (
                    f"{renamed}: it is absent, and there is {shown(key)}; if that is it, name it in the field's names"
                )
                return Fault(RejectionKind.RENAMED_FIELD, renamed, reason)
        return tuple(found)


class _Object(list[tuple[str, Any]]):
    """A JSON object with its keys as they came."""


def _plain(key: str) -> str:
    """Return what is left of a key without case and separators: windSpeed is wind_speed."""
    return key.translate(_SEPARATORS).casefold()


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= N_DIGITS else float(digits)


def _fault(kind: RejectionKind, reason: str) -> Fault:
    return Fault(kind, "", reason)
