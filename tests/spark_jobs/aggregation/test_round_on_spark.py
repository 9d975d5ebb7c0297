"""Whole rounds over ledger, broker and Spark: what is counted, and what is left when nothing can be."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fogline.ledger.models import chain_of
from fogline.messages.seal import Result
from fogline.model import from_bytes
from fogline.rounds.judge import PlanState
from fogline.steps import aggregate
from fogline.steps.ending import ending_round
from spark_jobs.aggregation.job import run
from tests.support.cloud import Cloud, new_cloud
from tests.support.fogs import answer_of
from tests.support.rounds import collect, evaluate, initialise, open_round

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What other fogs would have made of the weighted mean of (1, 2) from 100 and (3, 4) from 300 examples.
A, B, MEAN = [1.0, 2.0], [3.0, 4.0], [2.5, 3.5]


@pytest.fixture
def cloud(kafka: str, tmp_path: Path) -> Cloud:
    return new_cloud(kafka, tmp_path, {})


def aggregated(cloud: Cloud, spark: "SparkSession", state: PlanState) -> Result:
    """Collect and aggregate a plan, as the tasks of a run do."""
    seal = collect(cloud, state)
    aggregate.hand_over(cloud.services, seal)
    run(spark, cloud.services.store, state.plan.plan_id, cloud.services.kafka)
    return aggregate.record_result(cloud.services, seal)


def parameters(cloud: Cloud, result: Result) -> list[float]:
    assert result.candidate is not None
    path = result.candidate.path
    return from_bytes(cloud.services.store.read(path), path).parameters.tolist()


def test_each_fog_counts_once_whatever_else_arrives(cloud: Cloud, spark: "SparkSession") -> None:
    initialise(cloud)
    old = open_round(cloud, "r0").state
    state = open_round(cloud, "r0").state
    first = cloud.fog_a.update(state.plan, A, 100)
    cloud.fog_a.send(first.to_bytes())
    cloud.fog_a.update(state.plan, [9.0, 9.0], 100)
    cloud.fog_a.update(old.plan, [7.0, 7.0], 900)
    without_round = answer_of(state.plan, "fog-b", kind="update").to_bytes().replace(b'"plan_id"', b'"plan"')
    cloud.fog_b.send(without_round)
    cloud.fog_b.update(state.plan, B, 300)
    result = aggregated(cloud, spark, state)
    assert parameters(cloud, result) == MEAN
    assert [(row.fog, row.verdict, row.cause) for row in cloud.rows(state.plan)] == [
        ("fog-a", "accepted", None),
        ("fog-a", "duplicate", None),
        ("fog-a", "duplicate", None),
        ("fog-b", "rejected", "undecodable"),
        ("fog-b", "accepted", None),
    ]
    assert next(row.verdict for row in cloud.rows(old.plan) if row.verdict != "no answer") == "stale"


def test_updates_that_are_not_finite_leave_the_model_and_the_next_round_runs(
    cloud: Cloud, spark: "SparkSession"
) -> None:
    initialise(cloud)
    state = open_round(cloud, "r0").state
    for fog in (cloud.fog_a, cloud.fog_b):
        fog.update(state.plan, [np.nan, np.nan], 100)
    said = (
        r"no candidate: 0 usable updates, below quorum 2: fog-a rejected \(not_finite: .*; fog-b rejected \(not_finite"
    )
    with (
        pytest.raises(aggregate.NoCandidate, match=said),
        ending_round(cloud.services, cloud.federation, "r0"),
    ):
        aggregate.require_candidate(aggregated(cloud, spark, state))
    assert [(row.fog, row.verdict, row.cause) for row in cloud.rows(state.plan)] == [
        ("fog-a", "rejected", "not_finite"),
        ("fog-b", "rejected", "not_finite"),
    ]
    with cloud.services.ledger.transaction() as session:
        assert [row.version for row in chain_of(session, cloud.federation.federation, "main")] == [0]
    later = open_round(cloud, "r1").state
    cloud.fog_a.update(later.plan, A, 100)
    cloud.fog_b.update(later.plan, B, 300)
    assert parameters(cloud, aggregated(cloud, spark, later)) == MEAN
    evaluate(cloud, "r1")
