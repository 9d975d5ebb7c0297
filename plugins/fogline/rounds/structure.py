"""Whether an update is made as the model is: layer by layer, and block by block."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from fogline.blocks import WIRE_DTYPE, block_count, block_n_bytes, block_partition
from fogline.kafka.topics import MODEL_WEIGHTS, N_WEIGHTS_PARTITIONS
from fogline.messages.answer import Answer, Layer
from fogline.messages.cause import Cause, Fault
from fogline.messages.plan import Plan
from fogline.messages.weights import BlockedVector
from fogline.network import Network

DTYPE = WIRE_DTYPE.name
# Above it a count is no longer exact in float64, in which shares are computed.
MAX_N_EXAMPLES = 2**53
# Enough to see what went wrong; a manifest may declare thousands.
MAX_NAMED = 4


def update_fault(answer: Answer, plan: Plan) -> Fault | None:
    """Return what is wrong with an update that answers a train plan; None when nothing is."""
    layers = Network(len(plan.specification.features), plan.specification.model).layer_names()
    wrong = _shorten(list(_layer_faults(answer.layers, layers)))
    if wrong:
        return Fault(Cause.WRONG_LAYERS, wrong)
    if answer.weights is None:
        return Fault(Cause.WRONG_BLOCKS, "an update without weights")
    n_parameters = sum(math.prod(shape) for _, shape in layers)
    return _blocks_fault(answer.weights, n_parameters) or _n_examples_fault(answer)


def _layer_faults(found: Sequence[Layer], expected: Sequence[tuple[str, tuple[int, ...]]]) -> Iterator[str]:
    names, wanted = [layer.name for layer in found], [name for name, _ in expected]
    if not names:
        yield f"no layers, the model has {', '.join(wanted)}"
        return
    declared = {layer.name: layer for layer in found}
    for name, shape in expected:
        layer = declared.get(name)
        if layer is None:
            yield f"{name}: missing"
        elif layer.shape != shape:
            yield f"{name}: expected shape {shape}, got {layer.shape}"
        elif layer.dtype != DTYPE:
            yield f"{name}: expected {DTYPE}, got {layer.dtype[:20]}"
    for name, n_times in Counter(names).items():
        if name not in wanted:
            yield f"{name[:60]}: the model has no such layer"
        elif n_times > 1:
            yield f"{name}: declared {n_times} times"
    if names != wanted and sorted(names) == sorted(wanted):
        yield f"the order is {', '.join(names)}, the model's is {', '.join(wanted)}"


def _shorten(faults: list[str]) -> str:
    more = [f"and {len(faults) - MAX_NAMED} more"] if len(faults) > MAX_NAMED else []
    return "; ".join(faults[:MAX_NAMED] + more)


def _blocks_fault(weights: BlockedVector, n_parameters: int) -> Fault | None:
    reason = _blocks_reason(weights, n_parameters)
    if reason is not None:
        return Fault(Cause.WRONG_BLOCKS, reason)
    # Of one block the whole's digest is its own; of several only their own digests bind their bytes.
    if len(weights.blocks) == 1 and weights.blocks[0].sha256 != weights.digest:
        block, whole = weights.blocks[0].sha256[:12], weights.digest[:12]
        return Fault(Cause.DIGEST_MISMATCH, f"the only block's digest is {block}, the whole's {whole}")
    return None


def _blocks_reason(weights: BlockedVector, n_parameters: int) -> str | None:
    if weights.topic != MODEL_WEIGHTS:
        return f"its blocks lie on topic {weights.topic[:60]}, not on {MODEL_WEIGHTS}"
    if weights.n_parameters != n_parameters:
        return f"{weights.n_parameters} parameters declared, the model has {n_parameters}"
    if len(weights.blocks) != block_count(n_parameters):
        return f"{len(weights.blocks)} blocks declared, {n_parameters} parameters take {block_count(n_parameters)}"
    for number, block in enumerate(weights.blocks):
        n_bytes, partition = block_n_bytes(number, n_parameters), block_partition(number, N_WEIGHTS_PARTITIONS)
        if block.n_bytes != n_bytes:
            return f"block {number}: {block.n_bytes} bytes declared, its parameters take {n_bytes}"
        if block.partition != partition:
            return f"block {number}: lies on partition {block.partition}, it belongs to {partition}"
    return None


def _n_examples_fault(answer: Answer) -> Fault | None:
    n_readings = sum(day.n_readings for day in answer.readings)
    if answer.n_examples == 0:
        reason = "trained on no example; a fog without any declines"
    elif answer.n_examples > n_readings:
        reason = f"{answer.n_examples} examples from the {n_readings} readings that it lists"
    elif answer.n_examples > MAX_N_EXAMPLES:
        reason = f"{answer.n_examples} examples are above 2^53"
    else:
        return None
    return Fault(Cause.WRONG_N_EXAMPLES, reason)
