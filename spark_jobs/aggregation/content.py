"""Whether a block's bytes are what its manifest declared, and numbers that can be averaged."""

import numpy as np

from fogline.blocks import WIRE_DTYPE, Vector
from fogline.canonical import sha256_hex
from fogline.messages.weights import BlockLocation


class ContentError(ValueError):
    """A block that its fog is rejected for; caught where blocks are read."""


def block_values(number: int, data: bytes | None, declared: BlockLocation) -> Vector:
    """Return the values of block ``number``, shape ``(n_columns,)``, float32, read-only.

    Raises
    ------
    ContentError
        The record has no value, another size or digest than declared, or holds NaN or an infinity.
    """
    if data is None:
        raise ContentError(f"block {number}: no record with a value at {place(declared)}")
    if len(data) != declared.n_bytes:
        raise ContentError(f"block {number}: {len(data)} bytes, {declared.n_bytes} were declared")
    found = sha256_hex(data)
    if found != declared.sha256:
        raise ContentError(f"block {number}: digest {found[:12]}, {declared.sha256[:12]} was declared")
    values = np.frombuffer(data, WIRE_DTYPE)
    finite = np.isfinite(values)
    if not finite.all():
        first = int(np.argmin(finite))
        raise ContentError(f"block {number}: parameter {first} of it is {values[first]}, not a finite number")
    return values


def place(block: BlockLocation) -> str:
    """Name where a block lies, for messages."""
    return f"partition {block.partition} offset {block.offset}"
