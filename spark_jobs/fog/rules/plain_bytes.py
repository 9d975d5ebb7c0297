"""A column of records as one stretch of bytes, and what can be told of each record without parsing it."""

import functools
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_OPENING, _CLOSING, _QUOTE, _ESCAPE = b'{}"\\'
_FIRST_PLAIN, _N_PLAIN = 0x20, 0x60


class PlainBytes:
    """Records in bytes.

    Parameters
    ----------
    values
        Binary; null where a record has none.
    """

    def __init__(self, values: pa.BinaryArray) -> None:
        self._values = values
        offsets: Any
        content: Any
        _, offsets, content = values.buffers()
        whole = np.frombuffer(offsets or bytes(4), np.int32)
        bounds = whole[values.offset : values.offset + len(values) + 1]
        self._bytes = np.frombuffer(content or b"", np.uint8)[bounds[0] : bounds[-1]]
        self._bounds = bounds.astype(np.int64) - bounds[0]

    @functools.cached_property
    def n_quotes(self) -> Counts:
        """How many quotes each has, shape ``(n,)``."""
        return self._count(self._bytes == _QUOTE)

    def may_be_an_object(self) -> Mask:
        """Tell which begin and end as a JSON object and have plain signs alone: ASCII, no escape, no line's end."""
        starts, ends = self._bounds[:-1], self._bounds[1:]
        plain: Mask = ends - starts >= 2
        if self._values.null_count:
            plain &= np.asarray(self._values.is_valid())
        at = np.flatnonzero(plain)
        plain[at] = (self._bytes[starts[at]] == _OPENING) & (self._bytes[ends[at] - 1] == _CLOSING)
        # Below the first plain sign it wraps around, to above.
        odd = (self._bytes - np.uint8(_FIRST_PLAIN) >= _N_PLAIN) | (self._bytes == _ESCAPE)
        if odd.any():
            plain &= self._count(odd) == 0
        return plain

    def have_each_once(self, rows: npt.NDArray[np.int64], parts: Sequence[bytes]) -> Mask:
        """Tell which of some records have each of some parts once, shape of ``rows``."""
        chosen, count = self._values.take(rows), cast(Any, pc.count_substring)
        once = np.ones(len(rows), bool)
        for part in parts:
            once &= count(chosen, part).to_numpy() == 1
        return once

    def lines(self, rows: npt.NDArray[np.int64]) -> pa.Buffer:
        """Return some records, a line for each."""
        chosen = self._values if len(rows) == len(self._values) else self._values.take(rows)
        whole: Any = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), chosen)
        joined: Any = pc.binary_join(whole, b"\n")
        buffer: pa.Buffer = joined[0].as_buffer()
        return buffer

    def _count(self, mask: Mask) -> Counts:
        counts: Counts = np.diff(np.searchsorted(np.flatnonzero(mask), self._bounds))
        return counts
