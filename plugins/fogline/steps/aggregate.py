"""Before and after the Spark job: hand it the seal, and record what it left."""

from fogline.artifacts import StoreError
from fogline.ledger.answers import reject_accepted
from fogline.ledger.plans import PlanKey, newest_plan, seal_of
from fogline.ledger.schema import ResultRow
from fogline.messages.base import MAX_STORED_BYTES
from fogline.messages.cause import Fault
from fogline.messages.seal import Result, Seal
from fogline.rounds.errors import RoundOver, RoundRefused
from fogline.steps.services import Services, utc_now


class NoCandidate(RoundOver):
    """The aggregation ended without a candidate; the global model is unchanged."""


def seal_path(plan_id: str) -> str:
    """Return where the aggregation job finds the seal in the model store."""
    return f"{plan_id}/seal.json"


def result_path(plan_id: str) -> str:
    """Return where the aggregation job leaves its result in the model store."""
    return f"{plan_id}/result.json"


def sealed_plan(services: Services, key: PlanKey, dag_run_id: str, collect_task: str) -> Seal:
    """Return the seal of a run's newest plan.

    Raises
    ------
    RoundRefused
        There is none yet; names the task that makes it.
    """
    with services.ledger.transaction() as session:
        state = newest_plan(session, key, dag_run_id)
        seal = seal_of(session, state.plan.plan_id) if state else None
    if state is None:
        raise RoundRefused("this run has announced no plan; clear announce_round with everything after it")
    if seal is None:
        raise RoundRefused(f"plan {state.plan.plan_id} is not sealed; clear {collect_task} with everything after it")
    return seal


def hand_over(services: Services, seal: Seal) -> None:
    """Put the seal where the Spark job reads it; the same bytes each time."""
    services.store.write(seal_path(seal.plan.plan_id), seal.to_bytes())


def record_result(services: Services, seal: Seal) -> Result:
    """Read the job's result and record it in the ledger, also when there is no candidate.

    The answers that the aggregation rejected are rejected from then on, by the same transaction.

    Raises
    ------
    StoreError
        The job left no result.
    RoundRefused
        The result belongs to another seal.
    """
    path = result_path(seal.plan.plan_id)
    if not services.store.exists(path):
        raise StoreError(f"the aggregation job left no {path}; see its log above")
    result = Result.from_bytes(services.store.read(path), MAX_STORED_BYTES)
    if result.seal_digest != seal.digest():
        raise RoundRefused(f"{path} was made from another seal ({result.seal_digest[:12]}); move it away")
    faults = {row.fog: Fault(row.cause, row.reason or "") for row in result.contributions if row.cause}
    with services.ledger.transaction() as session:
        reject_accepted(session, result.plan_id, faults)
        session.merge(
            ResultRow(
                plan_id=seal.plan.plan_id,
                body=result.to_bytes().decode(),
                recorded_at=utc_now(),
            )
        )
    return result


def recorded_result(services: Services, plan_id: str) -> Result:
    """Return the recorded result of a plan.

    Raises
    ------
    RoundRefused
        Nothing was recorded.
    NoCandidate
        The aggregation ended without a candidate.
    """
    with services.ledger.transaction() as session:
        row = session.get(ResultRow, plan_id)
    if row is None:
        raise RoundRefused(f"plan {plan_id} has no result; clear aggregate_weights with everything after it")
    result = Result.from_bytes(row.body.encode(), MAX_STORED_BYTES)
    return require_candidate(result)


def require_candidate(result: Result) -> Result:
    """Return a result that has a candidate.

    Raises
    ------
    NoCandidate
        It has none; says why in one sentence.
    """
    if result.candidate is None:
        raise NoCandidate(f"no candidate: {result.reason}")
    return result
