"""One canonical JSON form and its digest: two parties that hold the same thing compute the same hash."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Serialise a JSON-compatible value to its only byte form (sorted keys, no white space, no NaN).

    Raises
    ------
    ValueError
        The value holds NaN or an infinity, which JSON cannot carry.
    """
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
        ensure_ascii=False,
    ).encode()


def sha256_hex(data: bytes | memoryview) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
