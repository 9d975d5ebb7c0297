"""Which of a seal's answers are updates that can be fetched: what can be told before a block is read."""

from typing import NamedTuple

from fogline.blocks import BLOCK_N_PARAMETERS, WIRE_DTYPE, block_count
from fogline.kafka.topics import MODEL_WEIGHTS
from fogline.messages.answer import Answer
from fogline.messages.seal import Seal
from fogline.messages.weights import BlockedVector
from fogline.network import Network
from spark_jobs.aggregation.errors import AggregationError

Rejections = dict[str, str]

# Above it a count is no longer exact in float64, in which shares are computed.
MAX_N_EXAMPLES = 2**53


class Update(NamedTuple):
    """A fog's trained parameters, still on Kafka."""

    fog: str
    n_examples: int
    weights: BlockedVector


def updates_of(seal: Seal) -> tuple[list[Update], Rejections]:
    """Sort a seal's answers into updates that fit the plan's network and rejections with their reasons.

    Returns
    -------
    tuple of list of Update and dict
        The updates in the plan's order of fogs; the reason by fog.

    Raises
    ------
    AggregationError
        The seal names a fog twice or one that is no member: no rule for it is right.
    """
    _check_fogs(seal)
    specification = seal.plan.specification
    n_parameters = Network(len(specification.features), specification.model).n_parameters
    updates: list[Update] = []
    rejected: Rejections = {}
    for answer in sorted(seal.answers, key=lambda answer: seal.plan.members.index(answer.fog)):
        fault = _fault(answer, n_parameters)
        if fault is None and answer.weights is not None:
            updates.append(Update(answer.fog, answer.n_examples, answer.weights))
        else:
            rejected[answer.fog] = fault or ""
    return updates, rejected


def _check_fogs(seal: Seal) -> None:
    fogs = [answer.fog for answer in seal.answers]
    for fog in fogs:
        if fog not in seal.plan.members or fogs.count(fog) > 1:
            problem = "twice" if fogs.count(fog) > 1 else "which is no member of the plan"
            raise AggregationError(f"the seal of {seal.plan.plan_id} holds {fog}, {problem}; clear collect_weights")


def _fault(answer: Answer, n_parameters: int) -> str | None:
    weights = answer.weights
    if answer.kind != "update" or weights is None:
        return f"its answer of kind {answer.kind} carries no weights"
    if answer.n_examples > MAX_N_EXAMPLES:
        return f"n_examples {answer.n_examples} is above 2^53"
    if weights.topic != MODEL_WEIGHTS:
        return f"its blocks lie on topic {weights.topic}, not on {MODEL_WEIGHTS}"
    if weights.n_parameters != n_parameters:
        return f"{weights.n_parameters} parameters declared, the network has {n_parameters}"
    if len(weights.blocks) != block_count(n_parameters):
        return f"{len(weights.blocks)} blocks declared, {n_parameters} parameters take {block_count(n_parameters)}"
    for number, block in enumerate(weights.blocks):
        n_columns = min(BLOCK_N_PARAMETERS, n_parameters - number * BLOCK_N_PARAMETERS)
        if block.n_bytes != n_columns * WIRE_DTYPE.itemsize:
            return f"block {number}: {block.n_bytes} bytes declared, {n_columns} parameters take {4 * n_columns}"
    return None
