"""Large updates: each Spark task reads its own blocks from Kafka and reduces them; no block passes through the JVM.

The same block of every fog belongs to one task, because rules are column-wise, so nothing is shuffled. A block's digest
is checked where it is read. The digest of the whole vector is not: it names the update, but the digests of its
blocks already fix every byte of it.

Python workers import ``spark_jobs`` and ``fogline`` by name, so both must be on the PYTHONPATH that the workers
inherit: that of spark-submit, or that of the Spark Connect server.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from fogline.blocks import WIRE_DTYPE, block_partition
from fogline.kafka.clients import ClientConfig, KafkaLayerError
from fogline.kafka.read import Received, read_exact
from fogline.kafka.topics import MODEL_WEIGHTS, N_WEIGHTS_PARTITIONS
from fogline.messages.weights import BlockLocation

from spark_jobs.aggregation.content import ContentError, block_values
from spark_jobs.aggregation.errors import AggregationError
from spark_jobs.aggregation.reduction import Reduction, spark_errors
from spark_jobs.aggregation.rules import RULES
from spark_jobs.aggregation.updates import Rejections, Update

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# For all of a task's blocks: enough for a gigabyte over a slow line.
READ_TIMEOUT_S = 300.0

# A row is a reduced block, or a fog's rejection, or (without block and fog) the reason why the task failed.
SCHEMA = "block int, data binary, fog string, reason string"
COLUMNS: list[tuple[str, pa.DataType]] = [
    ("block", pa.int32()),
    ("data", pa.binary()),
    ("fog", pa.string()),
    ("reason", pa.string()),
]
Row = Mapping[str, int | bytes | str]


class Share(NamedTuple):
    """What one task does: blocks by number, each located once per fog."""

    fogs: Sequence[str]
    n_examples: Sequence[int]
    blocks: Mapping[int, Sequence[BlockLocation]]


def reduce_in_tasks(session: "SparkSession", config: ClientConfig, updates: Sequence[Update], rule: str) -> Reduction:
    """Fetch, check and reduce updates.

    Raises
    ------
    AggregationError
        Spark or a task of it failed.
    """
    shares = _shares(updates)
    with spark_errors():
        tasks = session.range(0, len(shares), 1, len(shares))
        table = tasks.mapInArrow(_task_function(shares, dict(config), rule), SCHEMA).toArrow()
    reduced: dict[int, bytes] = {}
    rejected: Rejections = {}
    for row in table.to_pylist():
        if row["data"] is not None:
            reduced[row["block"]] = row["data"]
        elif row["fog"] is None:
            raise AggregationError(row["reason"])
        else:
            rejected.setdefault(row["fog"], row["reason"])
    if rejected:
        return Reduction(None, rejected)
    data = b"".join(reduced[number] for number in sorted(reduced))
    return Reduction(np.frombuffer(data, WIRE_DTYPE).astype(np.float32), {})


def _shares(updates: Sequence[Update]) -> list[Share]:
    blocks: dict[int, dict[int, list[BlockLocation]]] = defaultdict(dict)
    for number, located in enumerate(zip(*(update.weights.blocks for update in updates), strict=True)):
        blocks[block_partition(number, N_WEIGHTS_PARTITIONS)][number] = list(located)
    fogs, n_examples = [update.fog for update in updates], [update.n_examples for update in updates]
    return [Share(fogs, n_examples, numbered) for numbered in blocks.values()]


def _task_function(
    shares: Sequence[Share], config: ClientConfig, rule: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def reduce_shares(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_numpy():
                for row in reduce_share(shares[int(number)], config, rule):
                    yield pa.RecordBatch.from_pylist([row], pa.schema(COLUMNS))

    return reduce_shares


def reduce_share(share: Share, config: ClientConfig, rule: str) -> Iterable[Row]:
    """Read, check and reduce one task's blocks; yields rows of `SCHEMA`."""
    offsets: dict[int, set[int]] = defaultdict(set)
    for located in share.blocks.values():
        for block in located:
            offsets[block.partition].add(block.offset)
    try:
        records = read_exact(config, MODEL_WEIGHTS, {p: sorted(many) for p, many in offsets.items()}, READ_TIMEOUT_S)
    except KafkaLayerError as error:
        yield {"reason": str(error)}
        return
    n_examples = np.array(share.n_examples, np.int64)
    for number, located in share.blocks.items():
        values, rejections = _block(number, share.fogs, located, records)
        if rejections:
            yield from ({"fog": fog, "reason": reason} for fog, reason in rejections.items())
        else:
            yield {"block": number, "data": RULES[rule](np.stack(values), n_examples).astype(WIRE_DTYPE).tobytes()}


def _block(
    number: int,
    fogs: Sequence[str],
    located: Sequence[BlockLocation],
    records: Mapping[tuple[int, int], Received],
) -> tuple[list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]], Rejections]:
    values, rejected = [], {}
    for fog, block in zip(fogs, located, strict=True):
        try:
            values.append(block_values(number, records[block.partition, block.offset].value, block))
        except ContentError as fault:
            rejected[fog] = str(fault)
    return values, rejected
