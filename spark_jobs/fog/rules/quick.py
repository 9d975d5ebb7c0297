"""Reads what is plainly right in a batch, whole columns at once; the rules decide on everything else, one by one.

A record is plainly right if no rule could find anything in it: a JSON object of ASCII on one line without an escape,
in which each quote belongs to a declared key, to the sensor or to the time, so that nothing is there twice or under
another name; its sensor is its key and the fog's own, its time is ISO 8601 within the range, and so are its numbers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fogline.federation.reading_rules import ISO_8601, FieldRule, ReadingRules
from spark_jobs.fog.rules.moment import MomentRule, Times
from spark_jobs.fog.rules.number import Floats, NumberRule
from spark_jobs.fog.rules.plain_bytes import PlainBytes
from spark_jobs.fog.rules.record import UTF_8

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
# Of fewer records the reader's start costs more than it saves.
N_AT_LEAST = 32
# One record that can't be read spoils its part; then smaller parts are tried once.
N_PER_PART = 512
N_TEXTS = 2


class Quick(NamedTuple):
    """What is plainly right in a batch.

    Attributes
    ----------
    rows
        Its places in the batch, in order, shape ``(n,)``.
    times_us
        Event times, shape ``(n,)``, microseconds since 1970.
    values
        Of each field, shape ``(n,)``; NaN where it is absent.
    """

    rows: Rows
    times_us: Times
    values: list[Floats]


class Parsed(NamedTuple):
    """Columns under the declared keys, shape ``(n,)``; numbers by key, NaN where there is none."""

    sensors: pa.StringArray
    times: pa.StringArray
    numbers: list[Floats]


class QuickReader:
    """Finds and reads what is plainly right.

    Parameters
    ----------
    sensors
        The keys of the fog's own.
    """

    def __init__(
        self, fields: Mapping[str, FieldRule], rules: ReadingRules, moment: MomentRule, sensors: Sequence[bytes]
    ) -> None:
        self._moment, self._max_bytes = moment, rules.max_bytes
        self._sensors = pa.array(sensors, pa.binary())
        self._numbers = [(NumberRule(name, rule), (name, *rule.names)) for name, rule in fields.items()]
        keys = [rules.sensor_key, rules.time.key, *(key for _, names in self._numbers for key in names)]
        names = [f"k{place}" for place in range(len(keys))]
        kinds = [bool if rule.type == "boolean" else float for rule in fields.values() for _ in (0, *rule.names)]
        numbers: list[Any] = [(name, kind | None, None) for name, kind in zip(names[N_TEXTS:], kinds, strict=True)]
        columns = [*((name, str) for name in names[:N_TEXTS]), *numbers]
        row = msgspec.defstruct("Row", columns, rename=dict(zip(names, keys, strict=True)), gc=False)
        self._decode, self._get = msgspec.json.Decoder(row).decode_lines, list(map(attrgetter, names))
        self._quoted = [json.dumps(key, ensure_ascii=False).encode() for key in keys]
        # Of other encodings and forms of time nothing is plain.
        self._is_possible = rules.encoding == UTF_8 and rules.time.text == ISO_8601

    def read(self, records: pa.Table, latest_us: int) -> Quick:
        """Read a part of a batch.

        Parameters
        ----------
        records
            As for `ReadingJudge.judge`, each column in one piece.
        latest_us
            The latest time that is not in the future.
        """
        found = list(self._parts(records, latest_us)) if self._is_possible else []
        rows, times_us = ([getattr(part, name) for part in found] for name in ("rows", "times_us"))
        values = [[np.zeros(0), *(part.values[at] for part in found)] for at in range(len(self._numbers))]
        nothing = np.zeros(0, np.int64)
        return Quick(
            np.concatenate([nothing, *rows]), np.concatenate([nothing, *times_us]), list(map(np.concatenate, values))
        )

    def _parts(self, records: pa.Table, latest_us: int) -> Iterator[Quick]:
        keys: Any = records["key"].combine_chunks()
        values: Any = records["value"].combine_chunks()
        raw = PlainBytes(values)
        sizes = np.asarray(records["n_bytes"], np.int64)
        rows = np.flatnonzero(raw.may_be_an_object() & (sizes <= self._max_bytes))
        if len(rows) < N_AT_LEAST:
            return
        for part in (rows, *_split(rows)):
            parsed = self._parsed(raw, part)
            if parsed is not None:
                yield self._of(keys.take(part), raw, part, parsed, latest_us)
            if parsed is not None and part is rows:
                return

    def _parsed(self, raw: PlainBytes, rows: Rows) -> Parsed | None:
        """Return the columns of some records; None where one of them can't be read."""
        try:
            found: list[Any] = self._decode(raw.lines(rows))
        except (msgspec.DecodeError, RecursionError):
            return None
        if len(found) != len(rows):
            return None
        sensors, times, *numbers = (list(map(get, found)) for get in self._get)
        # None, of a value that is absent or null, becomes NaN.
        return Parsed(
            pa.array(sensors, pa.string()),
            pa.array(times, pa.string()),
            [np.array(one, np.float64) for one in numbers],
        )

    def _of(self, keys: Any, raw: PlainBytes, rows: Rows, parsed: Parsed, latest_us: int) -> Quick:
        same: Any = pc.equal(keys, parsed.sensors.cast(pa.binary())).fill_null(False)
        own: Mask = pc.and_(same, pc.is_in(keys, self._sensors)).to_numpy(zero_copy_only=False)
        times_us, plain = self._moment.plain(parsed.times, latest_us)
        right = self._is_known(raw, rows, parsed.numbers) & own & plain
        values, at = [], 0
        for rule, names in self._numbers:
            number, once = _one_of(parsed.numbers[at : at + len(names)])
            right &= once & rule.plainly_right(number)
            values.append(number)
            at += len(names)
        chosen = np.flatnonzero(right)
        return Quick(rows[chosen], times_us[chosen], [one[chosen] for one in values])

    def _is_known(self, raw: PlainBytes, rows: Rows, numbers: Sequence[Floats]) -> Mask:
        """Tell where nothing is hidden: all quotes are of keys that have a value, once each, and of two texts."""
        n_keys = N_TEXTS + np.sum([~np.isnan(one) for one in numbers], axis=0)
        plain: Mask = raw.n_quotes[rows] == 2 * (n_keys + N_TEXTS)
        # With all keys there, others may be too; then each must be there once.
        odd = np.flatnonzero(~plain & (n_keys == N_TEXTS + len(numbers)))
        if odd.size:
            plain[odd] = raw.have_each_once(rows[odd], self._quoted)
        return plain


def _split(rows: Rows) -> list[Rows]:
    return [rows[at : at + N_PER_PART] for at in range(0, len(rows), N_PER_PART)] if len(rows) > N_PER_PART else []


def _one_of(columns: Sequence[Floats]) -> tuple[Floats, Mask]:
    """Return a field's values, NaN where there is none, and where it goes by one name at most."""
    if len(columns) == 1:
        return columns[0], np.ones(len(columns[0]), bool)
    merged = columns[0].copy()
    for other in columns[1:]:
        np.copyto(merged, other, where=np.isnan(merged))
    once: Mask = np.sum([~np.isnan(one) for one in columns], axis=0) <= 1
    return merged, once
