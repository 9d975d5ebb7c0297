"""Drive a federation through the steps of its rounds, with stand-in fogs and the aggregation's arithmetic in numpy."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from fogline.messages.plan import EventTimeSpan, Interval
from fogline.messages.seal import Candidate, FogContribution, Result, Seal
from fogline.model import GlobalModel, Lineage
from fogline.rounds.judge import PlanState
from fogline.steps import aggregate, measure
from fogline.steps.collect import Collector
from fogline.steps.initialise import commit_first_model
from fogline.steps.publish import Publication, publish_candidate
from fogline.steps.train import OpenRound, OtherRuns, RunRequest, announce_round
from tests.support.cloud import Cloud
from tests.support.fogs import FogStandIn

POLL_S = 20.0


@dataclass(frozen=True)
class RunsStandIn:
    """What Airflow would say of the other runs; by default that none is over and none is under way or queued."""

    ended: frozenset[str] = frozenset()
    running: frozenset[dt.datetime] = frozenset()
    queued: frozenset[dt.datetime] = frozenset()

    def has_ended(self, dag_run_id: str) -> bool:
        return dag_run_id in self.ended

    def is_running(self, interval_start: dt.datetime) -> bool:
        return interval_start in self.running

    def is_coming(self, interval_starts: list[dt.datetime]) -> bool:
        return not (self.running | self.queued).isdisjoint(interval_starts)


NO_OTHERS = RunsStandIn()


def initialise(cloud: Cloud, run: str = "init", *others: FogStandIn) -> Publication:
    """Commit version 0 with the two fogs, and with others that the federation has."""
    window = EventTimeSpan(start=cloud.federation.start, end=cloud.federation.start + cloud.federation.interval)
    state = measure.announce_statistics(cloud.services, cloud.federation, run, window, 20)
    cloud.fog_a.statistics(state.plan, [1.0, 3.0])
    cloud.fog_b.statistics(state.plan, [2.0])
    for fog in others:
        fog.statistics(state.plan, [2.0])
    return commit_first_model(cloud.services, cloud.federation, run, collect(cloud, state))


def open_round(
    cloud: Cloud, run: str, requested: Interval | None = None, others: OtherRuns = NO_OTHERS, *, is_live: bool = False
) -> OpenRound:
    """Announce a round."""
    return announce_round(cloud.services, cloud.federation, RunRequest(run, requested, is_live), others)


def collect(cloud: Cloud, state: PlanState) -> Seal:
    """Collect until the plan closes."""
    seal = Collector(cloud.services, state).poll_for(POLL_S)
    assert seal is not None
    return seal


def aggregate_in_numpy(cloud: Cloud, seal: Seal, parameters: list[float]) -> Result:
    """Leave what the Spark job would leave, for a candidate that the test chooses."""
    base = seal.plan.model_named("base")
    model = GlobalModel(
        parameters=np.asarray(parameters, np.float32),
        specification=seal.plan.specification,
        scaler=seal.plan.scaler,  # type: ignore[arg-type]
        lineage=Lineage(
            federation=seal.plan.federation,
            branch=seal.plan.branch,
            plan_id=seal.plan.plan_id,
            base_digest=base.weights.digest,
            seal_digest=seal.digest(),
        ),
    )
    cloud.services.store.write(model.path, model.to_bytes())
    n_examples = sum(answer.n_examples for answer in seal.answers)
    result = Result(
        plan_id=seal.plan.plan_id,
        seal_digest=seal.digest(),
        candidate=Candidate(
            digest=model.digest, n_parameters=model.parameters.size, n_examples=n_examples, path=model.path
        ),
        contributions=tuple(
            FogContribution(fog=a.fog, n_examples=a.n_examples, share=a.n_examples / n_examples, update_norm_l2=None)
            for a in seal.answers
        ),
    )
    cloud.services.store.write(aggregate.result_path(seal.plan.plan_id), result.to_bytes())
    return aggregate.record_result(cloud.services, seal)


def evaluate(cloud: Cloud, run: str, error: float = 1.0) -> Seal:
    """Have the stand-ins score the candidate, which errs by ``error`` where the base errs by 2, and record it."""
    state = measure.announce_candidate(cloud.services, cloud.federation, run)
    for fog in _asked(cloud, state):
        fog.scores(state.plan, {"base": 2.0, "candidate": error})
    seal = collect(cloud, state)
    measure.record_evaluation(cloud.services, seal)
    return seal


def aggregated(
    cloud: Cloud,
    run: str,
    parameters: list[float],
    requested: Interval | None = None,
    others: OtherRuns = NO_OTHERS,
) -> OpenRound:
    """Run a round from announcement to candidate."""
    opened = open_round(cloud, run, requested, others)
    for fog in _asked(cloud, opened.state):
        fog.update(opened.state.plan, parameters, 100 if fog is cloud.fog_a else 300)
    aggregate_in_numpy(cloud, collect(cloud, opened.state), parameters)
    return opened


def whole_round(
    cloud: Cloud, run: str, parameters: list[float], requested: Interval | None = None, error: float = 1.0
) -> Publication:
    """Run a round from announcement to publication."""
    aggregated(cloud, run, parameters, requested)
    evaluate(cloud, run, error)
    return publish_candidate(cloud.services, cloud.federation, run)


def _asked(cloud: Cloud, state: PlanState) -> list[FogStandIn]:
    return [fog for fog in (cloud.fog_a, cloud.fog_b) if fog.name in state.plan.members]
