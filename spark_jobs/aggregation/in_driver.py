"""Small updates: Spark reads the blocks, the driver reduces them; Python workers would cost more than the work."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fogline.blocks import Vector
from fogline.canonical import canonical_json
from fogline.kafka.clients import ClientConfig
from fogline.kafka.topics import MODEL_WEIGHTS
from spark_jobs.aggregation.content import ContentError, block_values
from spark_jobs.aggregation.reduction import Reduction, spark_errors
from spark_jobs.aggregation.rules import RULES
from spark_jobs.aggregation.updates import Rejections, Update
from spark_jobs.kafka_options import kafka_options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Values = Mapping[tuple[int, int], bytes | None]


def reduce_in_driver(session: "SparkSession", config: ClientConfig, updates: Sequence[Update], rule: str) -> Reduction:
    """Fetch, check and reduce updates.

    Raises
    ------
    AggregationError
        Spark can't read the range.
    """
    values = _fetch(session, config, updates)
    vectors: list[Vector] = []
    rejected: Rejections = {}
    for update in updates:
        try:
            vectors.append(_vector(update, values))
        except ContentError as error:
            rejected[update.fog] = error.fault
    if rejected:
        return Reduction(None, rejected)
    n_examples = np.array([update.n_examples for update in updates], np.int64)
    return Reduction(RULES[rule](np.stack(vectors), n_examples), {})


def _fetch(session: "SparkSession", config: ClientConfig, updates: Sequence[Update]) -> Values:
    offsets: dict[int, set[int]] = defaultdict(set)
    for update in updates:
        for block in update.weights.blocks:
            offsets[block.partition].add(block.offset)
    options = {
        # Spark asks for the partition's end on the connection where its next fetch already waits: at Kafka's default
        # every read would last half a second longer.
        "kafka.fetch.max.wait.ms": "10",
        **kafka_options(config),
        "assign": _json({MODEL_WEIGHTS: sorted(offsets)}),
        "startingOffsets": _json({MODEL_WEIGHTS: {str(p): min(many) for p, many in offsets.items()}}),
        "endingOffsets": _json({MODEL_WEIGHTS: {str(p): max(many) + 1 for p, many in offsets.items()}}),
    }
    wanted = " OR ".join(
        f"(partition = {p} AND offset IN ({', '.join(map(str, sorted(many)))}))" for p, many in offsets.items()
    )
    with spark_errors():
        records = session.read.format("kafka").options(**options).load()
        table = records.where(wanted).select("partition", "offset", "value").toArrow()
    return {(row["partition"], row["offset"]): row["value"] for row in table.to_pylist()}


def _json(value: object) -> str:
    return str(canonical_json(value), "utf-8")


def _vector(update: Update, values: Values) -> Vector:
    blocks = enumerate(update.weights.blocks)
    return np.concatenate([block_values(b, values.get((block.partition, block.offset)), block) for b, block in blocks])
