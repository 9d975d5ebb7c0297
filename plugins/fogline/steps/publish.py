"""Publish a candidate.

1. In one ledger transaction: compare the head number and the plan, add the version, move the head, end the round.
   This commit is the publication.
2. Send the head to Kafka and note it as sent. Killed before, the next announcement sends it.

An interval that is on the chain already is compared and nothing is published. A candidate that the gate or a person
refuses ends the round with the reason, and the branch stays where it is.
"""

from dataclasses import dataclass, field

from fogline.federation.settings import Federation
from fogline.ledger import models, rounds
from fogline.ledger.plans import lock_plan, newest_plan, seal_of
from fogline.ledger.schema import ModelRow
from fogline.messages.seal import Result, Seal
from fogline.rounds.differences import differences
from fogline.rounds.errors import RoundRefused
from fogline.rounds.gate import GateDecision, decide
from fogline.steps.aggregate import recorded_result, sealed_plan
from fogline.steps.head import send_head
from fogline.steps.measure import candidate_key, scores_by_model
from fogline.steps.services import Services, utc_now
from fogline.steps.train import training_key
from fogline.versions import parse_version


@dataclass(frozen=True)
class Publication:
    """What became of a candidate.

    Attributes
    ----------
    outcome
        ``committed``, ``reproduced``, ``differs`` or ``refused``.
    model
        The version committed or compared with; for ``refused`` the base, which stays the head.
    reason
        What the gate says of the candidate, or who refused it.
    differences
        For ``differs``: what is not as it was then, in sentences.
    """

    outcome: str
    model: ModelRow
    reason: str = ""
    differences: list[str] = field(default_factory=list)


def publish_candidate(
    services: Services, federation: Federation, dag_run_id: str, refusal: str | None = None
) -> Publication:
    """Commit the run's candidate as the next version, or compare it with the one on the chain.

    Parameters
    ----------
    refusal
        How approval was refused: by whom, or because nobody answered.

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
    gate = GateDecision(False, f"refused {refusal}") if refusal else gate_decision(federation, measured)
    publication = _commit_or_compare(services, dag_run_id, train, result, measured, gate)
    send_head(services, federation)
    return publication


def approval_question(services: Services, federation: Federation, dag_run_id: str) -> str | None:
    """Return what a person must know to approve the run's candidate; None when there is nothing to decide.

    There is nothing when the gate refuses it, or when the interval has a model already and is only compared.
    """
    train = sealed_plan(services, training_key(federation), dag_run_id, "collect_weights")
    result = recorded_result(services, train.plan.plan_id)
    gate = gate_decision(federation, _evaluation(services, federation, dag_run_id, result))
    interval, plan = train.plan.interval, train.plan
    assert interval is not None and result.candidate is not None
    with services.ledger.transaction() as session:
        link = models.model_of_interval(session, plan.federation, plan.branch, interval.index)
    if not gate.passes or link is not None:
        return None
    base = plan.model_named("base").version
    return (
        f"Candidate `{result.candidate.digest[:12]}` of interval {interval.index} ({interval}), trained from {base} on "
        f"{result.candidate.n_examples} examples by {', '.join(answer.fog for answer in train.answers)}: {gate.reason}."
    )


def gate_decision(federation: Federation, measured: Seal) -> GateDecision:
    """Return what the promotion gate says of an evaluated candidate."""
    scores = scores_by_model(measured)
    is_classes = federation.model.task == "classification"
    tolerance, unit = federation.promotion.tolerance, federation.target.unit
    return decide(scores["base"], scores["candidate"], tolerance, unit, classes=is_classes)


def _evaluation(services: Services, federation: Federation, dag_run_id: str, result: Result) -> Seal:
    with services.ledger.transaction() as session:
        state = newest_plan(session, candidate_key(federation), dag_run_id)
        seal = seal_of(session, state.plan.plan_id) if state else None
    candidate = result.candidate
    if seal is None or candidate is None or seal.plan.model_named("candidate").weights.digest != candidate.digest:
        raise RoundRefused("the candidate was not evaluated; clear evaluate_candidate with everything after it")
    return seal


def _commit_or_compare(
    services: Services, dag_run_id: str, train: Seal, result: Result, measured: Seal, gate: GateDecision
) -> Publication:
    name, branch = train.plan.federation, train.plan.branch
    now = utc_now()
    assert train.plan.interval is not None and result.candidate is not None
    with services.ledger.transaction() as session:
        # A retry may run beside its lost predecessor: the second one must find what the first has committed.
        lock_plan(session, train.plan.plan_id)
        round_row = rounds.round_of_run(session, name, branch, dag_run_id)
        assert round_row is not None
        link = models.model_of_interval(session, name, branch, train.plan.interval.index)
        if link is None:
            base = models.version_of(session, name, parse_version(train.plan.model_named("base").version or ""))
            if gate.passes:
                model = _new_model(dag_run_id, base, train, result, measured)
                link = models.commit_version(session, name, branch, model, train.plan.head_no, now)
                publication = Publication("committed", link, gate.reason)
            else:
                publication = Publication(rounds.REFUSED, base, gate.reason)
        elif link.digest == result.candidate.digest:
            # Also what a cleared publish finds: its own commit.
            outcome = "committed" if link.plan_id == train.plan.plan_id else "reproduced"
            publication = Publication(outcome, link, gate.reason)
        else:
            then = seal_of(session, link.plan_id)
            found = differences(then, train) if then else [f"the seal of plan {link.plan_id} is gone"]
            publication = Publication("differs", link, differences=found)
        rounds.end_round(round_row, publication.outcome, now, publication.reason or None)
    return publication


def _new_model(dag_run_id: str, base: ModelRow, train: Seal, result: Result, measured: Seal) -> models.NewModel:
    candidate = result.candidate
    assert candidate is not None and train.plan.interval is not None
    scores = {name: {fog: s.model_dump() for fog, s in by.items()} for name, by in scores_by_model(measured).items()}
    return models.NewModel(
        base_id=base.id,
        digest=candidate.digest,
        path=candidate.path,
        plan_id=train.plan.plan_id,
        dag_run_id=dag_run_id,
        interval_index=train.plan.interval.index,
        n_examples=candidate.n_examples,
        base_scores=scores["base"],
        scores=scores["candidate"],
    )
