"""In which partition a key's records lie, by the partitioner that its producers use.

``murmur2`` is the default of Java's client, librdkafka's ``murmur2`` and ``murmur2_random``; ``crc32`` is librdkafka's
default ``consistent_random`` and its ``consistent``, and so that of Fogline's own producer.
"""

import zlib
from typing import Literal

Partitioner = Literal["murmur2", "crc32"]
_SEED, _MIX, _SHIFT, _WORD = 0x9747B28C, 0x5BD1E995, 24, 0xFFFFFFFF


def partition_of(key: bytes, n_partitions: int, partitioner: Partitioner) -> int:
    """Return the partition of a key, which is not empty."""
    return (murmur2(key) & 0x7FFFFFFF if partitioner == "murmur2" else zlib.crc32(key)) % n_partitions


def murmur2(key: bytes) -> int:
    """Return the 32-bit hash of Kafka's Java client."""
    hashed, whole = _SEED ^ len(key), len(key) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * _MIX & _WORD
        word = (word ^ word >> _SHIFT) * _MIX & _WORD
        hashed = (hashed * _MIX & _WORD) ^ word
    if whole < len(key):
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _MIX & _WORD
    hashed = (hashed ^ hashed >> 13) * _MIX & _WORD
    return hashed ^ hashed >> 15
