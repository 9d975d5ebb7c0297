"""Large updates: each Spark task reads its own blocks from Kafka and reduces them; no block passes through the JVM.

The same block of every fog belongs to one task, because rules are column-wise, so nothing is shuffled. A block's digest
is checked where it is read. The digest of a whole vector of several blocks is checked on neither way of reducing: no
task sees the whole, and the digests of its blocks already fix every byte of it.

Python workers import ``spark_jobs`` and ``fogline`` by name, so both must be where they look: on the PYTHONPATH of
spark-submit where the master is local, in the archive that the operator ships to a cluster, on the PYTHONPATH of a
Spark Connect server.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fogline.blocks import WIRE_DTYPE, block_partition
from fogline.kafka.clients import ClientConfig
from fogline.kafka.security import self_contained
from fogline.kafka.topics import N_WEIGHTS_PARTITIONS
from fogline.messages.cause import Cause, Fault
from fogline.messages.weights import BlockLocation
from spark_jobs.aggregation.errors import AggregationError
from spark_jobs.aggregation.reduction import Reduction, spark_errors
from spark_jobs.aggregation.task import SCHEMA, Share, task_function
from spark_jobs.aggregation.updates import Rejections, Update

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
        table = tasks.mapInArrow(task_function(shares, self_contained(config), rule), SCHEMA).toArrow()
    reduced: dict[int, bytes] = {}
    rejected: Rejections = {}
    rows = table.to_pylist()
    failures = [row["reason"] for row in rows if row["block"] is None]
    if failures:
        raise AggregationError(min(failures))
    # By block, so that of a fog's faults the first is named, whichever task ended first.
    for row in sorted(rows, key=lambda row: int(row["block"])):
        if row["data"] is None:
            rejected.setdefault(row["fog"], Fault(Cause(row["cause"]), row["reason"]))
        else:
            reduced[row["block"]] = row["data"]
    if rejected:
        return Reduction(None, rejected)
    return Reduction(np.frombuffer(b"".join(reduced.values()), WIRE_DTYPE).astype(np.float32), {})


def _shares(updates: Sequence[Update]) -> list[Share]:
    blocks: dict[int, dict[int, list[BlockLocation]]] = defaultdict(dict)
    for number, located in enumerate(zip(*(update.weights.blocks for update in updates), strict=True)):
        blocks[block_partition(number, N_WEIGHTS_PARTITIONS)][number] = list(located)
    fogs, n_examples = [update.fog for update in updates], [update.n_examples for update in updates]
    return [Share(fogs, n_examples, numbered) for numbered in blocks.values()]
