"""One aggregation, from seal to result: the function that spark-submit and a warm Spark Connect session both call."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fogline.artifacts import ArtifactStore
from fogline.blocks import Vector
from fogline.kafka.clients import ClientConfig
from fogline.messages.base import MAX_STORED_BYTES
from fogline.messages.seal import FogContribution, Result, Seal
from fogline.rounds.tables import contributions_table
from spark_jobs.aggregation.errors import AggregationError
from spark_jobs.aggregation.in_driver import reduce_in_driver
from spark_jobs.aggregation.in_tasks import reduce_in_tasks
from spark_jobs.aggregation.results import write_candidate, write_result
from spark_jobs.aggregation.retention import unwritten
from spark_jobs.aggregation.rules import RULES
from spark_jobs.aggregation.updates import Rejections, Update, updates_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

# Up to here starting Python workers costs more than passing the blocks through the JVM.
MAX_DRIVER_BYTES = 8 * 1024 * 1024


def run(session: "SparkSession", store: ArtifactStore, plan_id: str, kafka_config: ClientConfig) -> Result:
    """Aggregate a sealed plan and leave candidate and result in the store.

    The result is a function of the seal; running again compares. Uses only what Spark Connect has.

    Parameters
    ----------
    session
        A classic or a Connect session with the Kafka connector.
    kafka_config
        librdkafka client settings, which Spark's own reader gets in its own words.

    Raises
    ------
    FoglineError
        The seal is missing, blocks have expired, Kafka or Spark failed, or an earlier result differs. A round without a
        candidate is no error: its result says why.
    """
    seal = _read_seal(store, plan_id)
    plan = seal.plan
    log.info("%s: %s of %d fogs sealed, quorum %d, rule %s", plan_id, len(seal.answers), len(plan.members),
             plan.quorum, plan.specification.strategy.rule)  # fmt: skip
    updates, rejected = updates_of(seal)
    parameters, accepted = _reduce(session, seal, updates, rejected, kafka_config)
    reason = _obstacle(seal, accepted, rejected) or _overflow(parameters)
    if reason is not None:
        parameters = None
    n_examples = sum(update.n_examples for update in accepted)
    result = Result(
        plan_id=plan_id,
        seal_digest=seal.digest(),
        candidate=None if parameters is None else write_candidate(store, seal, parameters, n_examples),
        reason=reason,
        contributions=_contributions(seal, rejected, n_examples if parameters is not None else 0),
    )
    log.info("%s", contributions_table(result))
    log.info("candidate: %s", result.candidate.digest if result.candidate else f"none, {result.reason}")
    write_result(store, result)
    return result


def _read_seal(store: ArtifactStore, plan_id: str) -> Seal:
    seal = Seal.from_bytes(store.read(f"{plan_id}/seal.json"), MAX_STORED_BYTES)
    if seal.plan.plan_id != plan_id or seal.plan.kind != "train":
        raise AggregationError(f"{plan_id}/seal.json holds {seal.plan.kind} plan {seal.plan.plan_id}; "
                               "clear collect_weights")  # fmt: skip
    return seal


def _obstacle(seal: Seal, accepted: Sequence[Update], rejected: Rejections) -> str | None:
    if len(accepted) >= seal.plan.quorum:
        return None
    # In the plan's order, whichever way of reducing found them.
    why = "; ".join(f"{fog} rejected ({rejected[fog]})" for fog in seal.plan.members if fog in rejected)
    return (
        f"{len(accepted)} usable updates, below quorum {seal.plan.quorum}: {why or 'no other was sealed'}; "
        "the global model is unchanged"
    )


def _overflow(parameters: Vector | None) -> str | None:
    if parameters is None or np.isfinite(parameters).all():
        return None
    first = int(np.argmin(np.isfinite(parameters)))
    return f"the sum overflows: parameter {first} of it is {parameters[first]}; the global model is unchanged"


def _reduce(
    session: "SparkSession", seal: Seal, updates: list[Update], rejected: Rejections, config: ClientConfig
) -> tuple[Vector | None, list[Update]]:
    """Reduce the updates; those found unusable on the way go to ``rejected``, and the others are reduced again."""
    rule = seal.plan.specification.strategy.rule
    if rule not in RULES:
        raise AggregationError(f"strategy.rule {rule} is unknown; known are {', '.join(RULES)}")
    if updates:
        rejected |= unwritten(config, updates)
    while True:
        accepted = [update for update in updates if update.fog not in rejected]
        if _obstacle(seal, accepted, rejected):
            return None, accepted
        n_bytes = sum(block.n_bytes for update in accepted for block in update.weights.blocks)
        reduce = reduce_in_driver if n_bytes <= MAX_DRIVER_BYTES else reduce_in_tasks
        reduction = reduce(session, config, accepted, rule)
        if reduction.parameters is not None:
            return reduction.parameters, accepted
        rejected |= reduction.rejected


def _contributions(seal: Seal, rejected: Rejections, n_total: int) -> tuple[FogContribution, ...]:
    return tuple(
        FogContribution(
            fog=answer.fog,
            n_examples=answer.n_examples,
            share=answer.n_examples / n_total if n_total and answer.fog not in rejected else 0.0,
            update_norm_l2=answer.update_norm_l2,
            cause=rejected[answer.fog].cause if answer.fog in rejected else None,
            reason=rejected[answer.fog].reason if answer.fog in rejected else None,
        )
        for answer in sorted(seal.answers, key=lambda answer: seal.plan.members.index(answer.fog))
    )
