"""Which of a seal's answers are updates that can be fetched: what can be told before a block is read."""

from typing import NamedTuple

from fogline.messages.answer import Answer
from fogline.messages.cause import Cause, Fault
from fogline.messages.plan import Plan
from fogline.messages.seal import Seal
from fogline.messages.weights import BlockedVector
from fogline.rounds.structure import update_fault
from spark_jobs.aggregation.errors import AggregationError

Rejections = dict[str, Fault]


class Update(NamedTuple):
    """A fog's trained parameters, still on Kafka."""

    fog: str
    n_examples: int
    weights: BlockedVector


def updates_of(seal: Seal) -> tuple[list[Update], Rejections]:
    """Sort a seal's answers into updates that fit the plan's network and rejections.

    Returns
    -------
    tuple of list of Update and dict
        The updates in the plan's order of fogs; what is wrong with the others, by fog.

    Raises
    ------
    AggregationError
        The seal names a fog twice or one that is no member: no rule for it is right.
    """
    _check_fogs(seal)
    updates: list[Update] = []
    rejected: Rejections = {}
    for answer in sorted(seal.answers, key=lambda answer: seal.plan.members.index(answer.fog)):
        fault = _fault(answer, seal.plan)
        if fault is not None:
            rejected[answer.fog] = fault
        elif answer.weights is not None:
            updates.append(Update(answer.fog, answer.n_examples, answer.weights))
    return updates, rejected


def _check_fogs(seal: Seal) -> None:
    fogs = [answer.fog for answer in seal.answers]
    for fog in fogs:
        if fog not in seal.plan.members or fogs.count(fog) > 1:
            problem = "twice" if fogs.count(fog) > 1 else "which is no member of the plan"
            raise AggregationError(f"the seal of {seal.plan.plan_id} holds {fog}, {problem}; clear collect_weights")


def _fault(answer: Answer, plan: Plan) -> Fault | None:
    # Collect judges by the same rules; a seal is believed no more than the answers that it was made from.
    if answer.kind != "update":
        return Fault(Cause.WRONG_KIND, f"its answer of kind {answer.kind} carries no weights")
    return update_fault(answer, plan)
