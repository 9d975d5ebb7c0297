"""How a flat parameter vector travels: little-endian float32, cut into blocks of one Kafka record each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fogline.canonical import sha256_hex
from fogline.errors import FoglineError

Vector = npt.NDArray[np.float32]

# 960 kB a record: within the default max.message.bytes of brokers and clients (1 MiB), so nobody has to tune limits.
BLOCK_N_PARAMETERS = 240_000
WIRE_DTYPE = np.dtype("<f4")


class BlockError(FoglineError):
    """A block is missing, has another size than declared, or does not match its digest."""


def block_count(n_parameters: int) -> int:
    """Return how many blocks a vector of ``n_parameters`` takes (at least one)."""
    return max(1, -(-n_parameters // BLOCK_N_PARAMETERS))


def block_partition(block: int, n_partitions: int) -> int:
    """Return the partition of block number ``block``: the same block of every fog shares a partition.

    Aggregation is column-wise, so this placement lets each Spark task reduce its own partition without a shuffle.
    """
    return block % n_partitions


def block_n_bytes(block: int, n_parameters: int) -> int:
    """Return how many bytes block number ``block`` of a vector of ``n_parameters`` has; the last one may be short."""
    return min(BLOCK_N_PARAMETERS, n_parameters - block * BLOCK_N_PARAMETERS) * WIRE_DTYPE.itemsize


def encode(vector: npt.ArrayLike) -> list[bytes]:
    """Cut a flat vector into the bytes of its blocks.

    Parameters
    ----------
    vector
        Shape ``(n_parameters,)``, any float dtype; it is rounded to float32.
    """
    flat = np.ascontiguousarray(vector, WIRE_DTYPE)
    step = BLOCK_N_PARAMETERS
    return [flat[b * step : (b + 1) * step].tobytes() for b in range(block_count(flat.size))]


def vector_digest(vector: npt.ArrayLike) -> str:
    """Return the SHA-256 of a vector's wire form: the name by which models and updates are compared."""
    return sha256_hex(np.ascontiguousarray(vector, WIRE_DTYPE).data)


def decode(blocks: Sequence[bytes], n_parameters: int, digest: str) -> Vector:
    """Put blocks together again and check them against what was declared.

    Returns
    -------
    Vector
        Shape ``(n_parameters,)``, float32, writable.

    Raises
    ------
    BlockError
        The size or the digest differs from the declared one.
    """
    data = b"".join(blocks)
    if len(data) != n_parameters * WIRE_DTYPE.itemsize:
        raise BlockError(f"the blocks hold {len(data)} bytes, but {n_parameters} float32 parameters were declared")
    found = sha256_hex(data)
    if found != digest:
        raise BlockError(f"the blocks' digest is {found[:12]}, but {digest[:12]} was declared")
    return np.frombuffer(data, WIRE_DTYPE).astype(np.float32)
