"""What a Spark task does for large updates: read its blocks from Kafka, check and reduce them.

Python workers import this module by name, and little else, because each one that starts pays for it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from fogline.blocks import WIRE_DTYPE, Vector
from fogline.kafka.clients import ClientConfig, KafkaAccessError, KafkaLayerError
from fogline.kafka.read import Received, read_exact
from fogline.kafka.topics import MODEL_WEIGHTS
from fogline.messages.weights import BlockLocation
from spark_jobs.aggregation.content import ContentError, block_values
from spark_jobs.aggregation.rules import RULES

# For all of a task's blocks: enough for a gigabyte over a slow line.
READ_TIMEOUT_S = 300.0

# A row is a reduced block, or a fog's rejection for a block, or (without a block) the reason why the task failed.
SCHEMA = "block int, data binary, fog string, cause string, reason string"
COLUMNS: list[tuple[str, pa.DataType]] = [
    ("block", pa.int32()),
    ("data", pa.binary()),
    ("fog", pa.string()),
    ("cause", pa.string()),
    ("reason", pa.string()),
]
Row = Mapping[str, int | bytes | str]


class Share(NamedTuple):
    """One task's part: blocks by number, each located once per fog."""

    fogs: Sequence[str]
    n_examples: Sequence[int]
    blocks: Mapping[int, Sequence[BlockLocation]]


def task_function(
    shares: Sequence[Share], config: ClientConfig, rule: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function for ``mapInArrow``: from numbers of shares to rows of `SCHEMA`."""

    def reduce_shares(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_numpy():
                for row in reduce_share(shares[int(number)], config, rule):
                    yield pa.RecordBatch.from_pylist([row], pa.schema(COLUMNS))

    return reduce_shares


def reduce_share(share: Share, config: ClientConfig, rule: str) -> Iterator[Row]:
    """Read, check and reduce one task's blocks; yields rows of `SCHEMA`."""
    offsets: dict[int, set[int]] = defaultdict(set)
    for located in share.blocks.values():
        for block in located:
            offsets[block.partition].add(block.offset)
    try:
        records = read_exact(config, MODEL_WEIGHTS, {p: sorted(many) for p, many in offsets.items()}, READ_TIMEOUT_S)
    except (KafkaLayerError, KafkaAccessError) as error:
        yield {"reason": str(error)}
        return
    n_examples = np.array(share.n_examples, np.int64)
    for number, located in share.blocks.items():
        values, rejected = _checked(number, share.fogs, located, records)
        if rejected:
            yield from rejected
        else:
            yield {"block": number, "data": RULES[rule](np.stack(values), n_examples).astype(WIRE_DTYPE).tobytes()}


def _checked(
    number: int, fogs: Sequence[str], located: Sequence[BlockLocation], records: Mapping[tuple[int, int], Received]
) -> tuple[list[Vector], list[Row]]:
    values: list[Vector] = []
    rejected: list[Row] = []
    for fog, block in zip(fogs, located, strict=True):
        try:
            values.append(block_values(number, records[block.partition, block.offset].value, block))
        except ContentError as error:
            cause, reason = error.fault
            rejected.append({"block": number, "fog": fog, "cause": cause.value, "reason": reason})
    return values, rejected
