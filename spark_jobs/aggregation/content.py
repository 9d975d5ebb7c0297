"""Whether a block's bytes are what its manifest declared, and numbers that can be averaged."""

import numpy as np

from fogline.blocks import WIRE_DTYPE, Vector
from fogline.canonical import sha256_hex
from fogline.messages.cause import Cause, Fault
from fogline.messages.weights import BlockLocation


class ContentError(ValueError):
    """A block that its fog is rejected for; caught where blocks are read."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.fault = Fault(cause, reason)


def block_values(number: int, data: bytes | None, declared: BlockLocation) -> Vector:
    """Return the values of block ``number``, shape ``(n_columns,)``, float32, read-only.

    Raises
    ------
    ContentError
        The record has no value, another size or digest than declared, or holds NaN or an infinity.
    """
    if data is None:
        raise ContentError(Cause.BLOCK_MISSING, f"block {number}: no record with a value at {place(declared)}")
    if len(data) != declared.n_bytes:
        cause = Cause.TOO_LARGE if len(data) > declared.n_bytes else Cause.DIGEST_MISMATCH
        raise ContentError(cause, f"block {number}: {len(data)} bytes, {declared.n_bytes} were declared")
    found = sha256_hex(data)
    if found != declared.sha256:
        reason = f"block {number}: digest {found[:12]}, {declared.sha256[:12]} was declared"
        raise ContentError(Cause.DIGEST_MISMATCH, reason)
    values = np.frombuffer(data, WIRE_DTYPE)
    finite = np.isfinite(values)
    if not finite.all():
        first = int(np.argmin(finite))
        reason = f"block {number}: parameter {first} of it is {values[first]}, not a finite number"
        raise ContentError(Cause.NOT_FINITE, reason)
    return values


def place(block: BlockLocation) -> str:
    """Name where a block lies, for messages."""
    return f"partition {block.partition} offset {block.offset}"
