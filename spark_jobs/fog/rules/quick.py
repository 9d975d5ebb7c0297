"""Reads what is plainly right in a batch, whole columns at once; the rules decide on everything else, one by one.

A record is plainly right if no rule could find anything in it: one flat JSON object of ASCII without an escape, in
which each quote belongs to a declared key, to the sensor or to the time, so that nothing is there twice or under
another name; its sensor is its key and the fog's own, its time is ISO 8601 within the range, and so are its numbers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

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
        columns: dict[str, pa.DataType] = {rules.sensor_key: pa.string(), rules.time.key: pa.string()}
        for name, rule in fields.items():
            columns |= dict.fromkeys((name, *rule.names), pa.bool_() if rule.type == "boolean" else pa.float64())
        schema = pa.schema(columns)
        self._quoted = [json.dumps(key, ensure_ascii=False).encode() for key in columns]
        self._options = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
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
        values: Any = records["value"].combine_chunks()
        raw = PlainBytes(values)
        sizes = np.asarray(records["n_bytes"], np.int64)
        rows = np.flatnonzero(raw.may_be_one_object() & (sizes <= self._max_bytes))
        if len(rows) < N_AT_LEAST:
            return
        for part in (rows, *_split(rows)):
            parsed = self._parsed(raw, part)
            if parsed is not None:
                yield self._of(records, raw, part, parsed, latest_us)
            if parsed is not None and part is rows:
                return

    def _parsed(self, raw: PlainBytes, rows: Rows) -> pa.Table | None:
        """Return a row for each record; None where one of them can't be read."""
        content = raw.lines(rows)
        try:
            options = arrow_json.ReadOptions(use_threads=False, block_size=content.size + 1)
            source: Any = pa.BufferReader(content)
            parsed = arrow_json.read_json(source, read_options=options, parse_options=self._options)
        except pa.ArrowInvalid:
            return None
        return parsed.combine_chunks() if parsed.num_rows == len(rows) else None

    def _of(self, records: pa.Table, raw: PlainBytes, rows: Rows, parsed: pa.Table, latest_us: int) -> Quick:
        right = self._is_known(raw, rows, parsed) & self._is_own(records["key"].combine_chunks().take(rows), parsed)
        texts: Any = parsed.column(1).combine_chunks()
        times_us, plain = self._moment.plain(texts, latest_us)
        right &= plain
        values = []
        for rule, names in self._numbers:
            number, one = _number([parsed[name] for name in names])
            values.append(number)
            right &= one & rule.plainly_right(number)
        at = np.flatnonzero(right)
        return Quick(rows[at], times_us[at], [one[at] for one in values])

    def _is_known(self, raw: PlainBytes, rows: Rows, parsed: pa.Table) -> Mask:
        """Tell where nothing is hidden: all quotes are of keys that are there, once each, and of two texts."""
        there = [_valid(column) for column in parsed.columns]
        n_keys = np.sum(there, axis=0)
        both: Mask = there[0] & there[1]
        plain: Mask = both & (raw.n_quotes[rows] == 2 * (n_keys + N_TEXTS))
        # With all keys there, others may be too; then each must be there once.
        odd = np.flatnonzero(~plain & (n_keys == len(there)))
        if odd.size:
            plain[odd] = raw.have_each_once(rows[odd], self._quoted)
        return plain

    def _is_own(self, keys: Any, parsed: pa.Table) -> Mask:
        same: Any = pc.equal(keys, parsed.column(0).combine_chunks().cast(pa.binary())).fill_null(False)
        own: Mask = pc.and_(same, pc.is_in(keys, self._sensors)).to_numpy(zero_copy_only=False)
        return own


def _split(rows: Rows) -> list[Rows]:
    return [rows[at : at + N_PER_PART] for at in range(0, len(rows), N_PER_PART)] if len(rows) > N_PER_PART else []


def _valid(column: "pa.ChunkedArray[Any]") -> Mask:
    if not column.null_count:
        return np.ones(len(column), bool)
    valid: Mask = column.combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    return valid


def _number(columns: Sequence["pa.ChunkedArray[Any]"]) -> tuple[Floats, Mask]:
    """Return a field's values, NaN where there is none, and where it goes by one name at most."""
    values = [np.asarray(column.cast(pa.float64()).to_numpy(), np.float64) for column in columns]
    if len(values) == 1:
        return values[0], np.ones(len(values[0]), bool)
    there = np.sum([_valid(column) for column in columns], axis=0)
    merged = values[0].copy()
    for other in values[1:]:
        np.copyto(merged, other, where=np.isnan(merged))
    return merged, there <= 1
