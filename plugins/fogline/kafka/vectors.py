"""Send and fetch parameter vectors: blocks first, and the record that names them only when all are delivered."""

from collections import defaultdict

import numpy.typing as npt

from fogline.blocks import (
    BlockError,
    Vector,
    block_partition,
    decode,
    encode,
    vector_digest,
)
from fogline.canonical import sha256_hex
from fogline.kafka.clients import ClientConfig
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import read_exact
from fogline.messages.weights import BlockedVector, BlockLocation


def send_vector(publisher: Publisher, topic: str, key: str, vector: npt.ArrayLike, n_partitions: int) -> BlockedVector:
    """Publish a vector's blocks and return where they lie.

    Raises
    ------
    KafkaLayerError
        A block was not delivered; then the vector does not exist for anybody.
    """
    blocks = encode(vector)
    delivered = publisher.publish(
        [Record(topic, f"{key}/{b}", data, block_partition(b, n_partitions)) for b, data in enumerate(blocks)]
    )
    locations = tuple(
        BlockLocation(
            partition=where.partition,
            offset=where.offset,
            n_bytes=len(data),
            sha256=sha256_hex(data),
        )
        for where, data in zip(delivered, blocks, strict=True)
    )
    n_parameters = sum(len(data) for data in blocks) // 4
    return BlockedVector(
        topic=topic,
        n_parameters=n_parameters,
        digest=vector_digest(vector),
        blocks=locations,
    )


def fetch_vector(config: ClientConfig, vector: BlockedVector, timeout_s: float = 30.0) -> Vector:
    """Read a vector by the offsets of its blocks and check it.

    Raises
    ------
    KafkaLayerError
        A block is no longer there.
    BlockError
        A block or the whole does not match its digest.
    """
    offsets: dict[int, list[int]] = defaultdict(list)
    for block in vector.blocks:
        offsets[block.partition].append(block.offset)
    records = read_exact(config, vector.topic, offsets, timeout_s)
    data = [records[block.partition, block.offset].value for block in vector.blocks]
    if any(part is None for part in data):
        raise BlockError(f"{vector.topic}: a block of {vector.digest[:12]} has no value")
    return decode([part for part in data if part is not None], vector.n_parameters, vector.digest)
