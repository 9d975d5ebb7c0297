"""Announce measure plans: the evaluation of a candidate, of any version, and a federation's first statistics."""

from typing import Literal

from fogline.federation.settings import Federation
from fogline.ledger import models, rounds
from fogline.ledger.plans import STATISTICS_PURPOSE, PlanKey, candidate_purpose, newest_plan, seal_of
from fogline.ledger.schema import EvaluationRow
from fogline.messages.plan import EventTimeSpan, ModelReference, Plan
from fogline.messages.seal import Seal
from fogline.rounds.judge import PlanState
from fogline.steps.aggregate import recorded_result, sealed_plan
from fogline.steps.announce import Draft, announce, load_candidate, load_version
from fogline.steps.services import Services, utc_now
from fogline.steps.train import training_key
from fogline.sums import ScoreSums
from fogline.versions import Version, parse_version


def candidate_key(federation: Federation) -> PlanKey:
    """Return the key of a branch's candidate evaluations."""
    return PlanKey(federation.federation, federation.branch, candidate_purpose(federation.branch))


def evaluation_key(federation: Federation, dag_run_id: str) -> PlanKey:
    """Return the key of one run of `evaluate_model`; runs do not supersede each other."""
    return PlanKey(federation.federation, federation.branch, f"evaluation/{dag_run_id}")


def statistics_key(federation: Federation) -> PlanKey:
    """Return the key of a federation's first statistics."""
    return PlanKey(federation.federation, federation.branch, STATISTICS_PURPOSE)


def announce_candidate(services: Services, federation: Federation, dag_run_id: str) -> PlanState:
    """Ask the fogs to score base and candidate on their held-out days, from the federation's start on.

    The plan that the run announced before is taken up again if it is about the same candidate and was sealed or is
    still open; so a cleared task gives the same seal, and one that failed below quorum asks anew.
    """
    seal = sealed_plan(services, training_key(federation), dag_run_id, "collect_weights")
    train = seal.plan
    candidate = recorded_result(services, train.plan_id).candidate
    assert candidate is not None and train.interval is not None
    state = _reusable(services, candidate_key(federation), dag_run_id, candidate.digest, train)
    if state is not None:
        return state
    base = train.model_named("base")
    assert base.version is not None
    with services.ledger.transaction() as session:
        base_row = models.version_of(session, train.federation, parse_version(base.version))
        round_row = rounds.round_of_run(session, train.federation, train.branch, dag_run_id)
    draft = Draft(
        purpose=candidate_key(federation).purpose,
        kind="measure",
        measure="scores",
        rows="held_out",
        window=EventTimeSpan(start=federation.start, end=train.interval.end),
        quorum=federation.quorum,
        deadline_s=federation.round.deadline_s,
        head_no=train.head_no,
        dag_run_id=dag_run_id,
        round_id=round_row.id if round_row else None,
        interval=train.interval,
        specification=train.specification,
    )
    named = {"base": load_version(services, base_row), "candidate": load_candidate(services, candidate.path)}
    return announce(services, federation, draft, named)


def _reusable(
    services: Services,
    key: PlanKey,
    dag_run_id: str,
    candidate_digest: str,
    train: Plan,
) -> PlanState | None:
    with services.ledger.transaction() as session:
        state = newest_plan(session, key, dag_run_id)
        is_sealed = state is not None and seal_of(session, state.plan.plan_id) is not None
    if state is None or state.plan.number < train.number:
        return None
    is_open = utc_now().timestamp() * 1000 < state.deadline_ms
    same = _digest(state.plan.model_named("candidate")) == candidate_digest
    return state if same and (is_sealed or is_open) else None


def announce_evaluation(
    services: Services,
    federation: Federation,
    dag_run_id: str,
    version: Version | None,
    window: EventTimeSpan,
    rows: Literal["all", "training", "held_out"],
    deadline_s: float,
) -> PlanState:
    """Ask the federation's fogs to score one version, of any branch (None: the head), over any window.

    Raises
    ------
    LedgerError
        There is no such version.
    """
    name, branch = federation.federation, federation.branch
    with services.ledger.transaction() as session:
        head = models.head_of(session, name, branch)
        head_version = Version(branch, head.version if head else 0)
        row = models.version_of(session, name, version or head_version)
    draft = Draft(
        purpose=evaluation_key(federation, dag_run_id).purpose,
        kind="measure",
        measure="scores",
        rows="held_out" if rows == "held_out" else "training" if rows == "training" else "all",
        window=window,
        quorum=federation.quorum,
        deadline_s=deadline_s,
        head_no=head.head_no if head else 0,
        dag_run_id=dag_run_id,
    )
    return announce(services, federation, draft, {row.name: load_version(services, row)})


def announce_statistics(
    services: Services,
    federation: Federation,
    dag_run_id: str,
    window: EventTimeSpan,
    deadline_s: float,
) -> PlanState:
    """Ask every fog for the moments of features and target over a window."""
    draft = Draft(
        purpose=statistics_key(federation).purpose,
        kind="measure",
        measure="statistics",
        rows="training",
        window=window,
        quorum=len(federation.fogs),
        deadline_s=deadline_s,
        head_no=0,
        dag_run_id=dag_run_id,
    )
    return announce(services, federation, draft, {})


def scores_by_model(seal: Seal) -> dict[str, dict[str, ScoreSums]]:
    """Return the sums of each model the plan names, by fog."""
    return {
        model.name: {answer.fog: answer.scores[model.name] for answer in seal.answers} for model in seal.plan.models
    }


def record_evaluation(services: Services, seal: Seal) -> dict[str, dict[str, ScoreSums]]:
    """Keep the scores of a sealed measure plan in the ledger and return them."""
    scores = scores_by_model(seal)
    plan = seal.plan
    with services.ledger.transaction() as session:
        session.merge(
            EvaluationRow(
                plan_id=plan.plan_id,
                federation=plan.federation,
                branch=plan.branch,
                window_start=plan.window.start,
                window_end=plan.window.end,
                rows=plan.rows,
                scores={name: {fog: s.model_dump() for fog, s in by.items()} for name, by in scores.items()},
                recorded_at=utc_now(),
            )
        )
    return scores


def _digest(model: ModelReference) -> str:
    return model.weights.digest
