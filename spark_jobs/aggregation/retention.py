"""Whether the blocks that manifests name can still be read, asked of the broker before any is."""

from collections.abc import Sequence

from confluent_kafka import TopicPartition

from fogline.kafka.clients import METADATA_TIMEOUT_S, ClientConfig, KafkaLayerError
from fogline.kafka.read import open_consumer, partitions_of
from fogline.kafka.topics import MODEL_WEIGHTS
from fogline.messages.cause import Cause, Fault
from spark_jobs.aggregation.content import place
from spark_jobs.aggregation.errors import AggregationError
from spark_jobs.aggregation.updates import Rejections, Update

Watermarks = dict[int, tuple[int, int]]


def unwritten(config: ClientConfig, updates: Sequence[Update]) -> Rejections:
    """Return the fogs whose manifests name places where nothing was ever written.

    Raises
    ------
    AggregationError
        A block has expired. That is no fault of its fog, so it must not change the result.
    KafkaLayerError
        The broker does not answer or has no such topic.
    """
    watermarks = _watermarks(config, {block.partition for update in updates for block in update.weights.blocks})
    rejected: Rejections = {}
    for update in updates:
        for number, block in enumerate(update.weights.blocks):
            low, high = watermarks.get(block.partition, (0, 0))
            if block.offset >= high:
                reason = f"block {number}: nothing was ever written to {place(block)}"
                rejected.setdefault(update.fog, Fault(Cause.BLOCK_MISSING, reason))
            elif block.offset < low:
                raise AggregationError(
                    f"{update.fog}: block {number} at {MODEL_WEIGHTS} {place(block)} has expired, the topic begins at "
                    f"{low}; clear announce_round to train anew"
                )
    return rejected


def _watermarks(config: ClientConfig, partitions: set[int]) -> Watermarks:
    found: Watermarks = {}
    with open_consumer(config) as consumer:
        for partition in partitions.intersection(partitions_of(consumer, MODEL_WEIGHTS)):
            marks = consumer.get_watermark_offsets(TopicPartition(MODEL_WEIGHTS, partition), METADATA_TIMEOUT_S)
            if marks is None:
                raise KafkaLayerError(f"{MODEL_WEIGHTS}[{partition}]: its offsets can't be read; is the broker up?")
            found[partition] = marks
    return found
