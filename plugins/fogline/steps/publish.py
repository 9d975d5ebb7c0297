"""Publish a candidate.

1. In one ledger transaction: compare the head number and the plan, add the version, move the head, end the round.
   This commit is the publication.
2. Send the head to Kafka and note it as sent. Killed before, the next announcement sends it.

An interval that is on the chain already is compared and nothing is published.
"""

from dataclasses import dataclass, field

from fogline.federation.settings import Federation
from fogline.ledger import models, rounds
from fogline.ledger.plans import newest_plan, seal_of
from fogline.ledger.schema import ModelRow
from fogline.messages.seal import Result, Seal
from fogline.rounds.differences import differences
from fogline.rounds.errors import RoundRefused
from fogline.steps.aggregate import recorded_result, sealed_plan
from fogline.steps.head import send_head
from fogline.steps.measure import candidate_key, scores_by_model
from fogline.steps.services import Services, utc_now
from fogline.steps.train import training_key


@dataclass(frozen=True)
class Publication:
    """What became of a candidate.

    Attributes
    ----------
    outcome
        ``committed``, ``reproduced`` or ``differs``.
    differences
        For ``differs``: what is not as it was then, in sentences.
    """

    outcome: str
    model: ModelRow
    differences: list[str] = field(default_factory=list)


def publish_candidate(services: Services, federation: Federation, dag_run_id: str) -> Publication:
    """Commit the run's candidate as the next version, or compare it with the one on the chain.

    Raises
    ------
    RoundRefused
        There is no sealed plan, result or evaluation to publish from; names the task to clear.
    LedgerError
        The head moved, or a newer plan superseded this one: nothing is committed.
    """
    train = sealed_plan(services, training_key(federation), dag_run_id, "collect_weights")
    result = recorded_result(services, train.plan.plan_id)
    measured = _evaluation(services, federation, dag_run_id, result)
    publication = _commit_or_compare(services, federation, dag_run_id, train, result, measured)
    send_head(services, federation)
    return publication


def _evaluation(services: Services, federation: Federation, dag_run_id: str, result: Result) -> Seal:
    with services.ledger.transaction() as session:
        state = newest_plan(session, candidate_key(federation), dag_run_id)
        seal = seal_of(session, state.plan.plan_id) if state else None
    candidate = result.candidate
    if seal is None or candidate is None or seal.plan.model_named("candidate").weights.digest != candidate.digest:
        raise RoundRefused("the candidate was not evaluated; clear evaluate_candidate with everything after it")
    return seal


def _commit_or_compare(
    services: Services,
    federation: Federation,
    dag_run_id: str,
    train: Seal,
    result: Result,
    measured: Seal,
) -> Publication:
    name, branch = federation.federation, federation.branch
    now = utc_now()
    assert train.plan.interval is not None and result.candidate is not None
    with services.ledger.transaction() as session:
        round_row = rounds.round_of_run(session, name, branch, dag_run_id)
        assert round_row is not None
        link = models.link_of_interval(models.chain_of(session, name, branch), train.plan.interval.index)
        if link is None:
            model = _new_model(dag_run_id, train, result, measured)
            link = models.commit_version(session, name, branch, model, train.plan.head_no, now)
            publication = Publication("committed", link)
        elif link.digest == result.candidate.digest:
            # Also what a cleared publish finds: its own commit.
            outcome = "committed" if link.plan_id == train.plan.plan_id else "reproduced"
            publication = Publication(outcome, link)
        else:
            then = seal_of(session, link.plan_id)
            found = differences(then, train) if then else [f"the seal of plan {link.plan_id} is gone"]
            publication = Publication("differs", link, found)
        rounds.end_round(round_row, publication.outcome, now)
    return publication


def _new_model(dag_run_id: str, train: Seal, result: Result, measured: Seal) -> models.NewModel:
    candidate = result.candidate
    assert candidate is not None and train.plan.interval is not None
    scores = {name: {fog: s.model_dump() for fog, s in by.items()} for name, by in scores_by_model(measured).items()}
    return models.NewModel(
        base_version=train.plan.model_named("base").version,
        digest=candidate.digest,
        path=candidate.path,
        plan_id=train.plan.plan_id,
        dag_run_id=dag_run_id,
        interval_index=train.plan.interval.index,
        n_examples=candidate.n_examples,
        base_scores=scores["base"],
        scores=scores["candidate"],
    )
