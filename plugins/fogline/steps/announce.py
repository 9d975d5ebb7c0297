"""Announce a plan.

1. Reserve its number in the ledger: from here on the older plan of the same purpose is stale.
2. Send the blocks of the models that it names; only now their offsets are known.
3. Keep the whole plan in the ledger, so that no fog ever answers one that the ledger can't explain.
4. Send it to ``round-plans``, and keep the broker's append time: the deadline counts from there.

Killed before 4, the plan never was: the task runs again and supersedes it. Killed between sending and keeping the
append time, the fogs' answers become stale by the next plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fogline import model as model_files
from fogline.features import check_expressions, have_same_expressions
from fogline.federation.settings import Federation, Specification
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import MODEL_BLOBS, N_BLOBS_PARTITIONS, ROUND_PLANS
from fogline.kafka.vectors import send_vector
from fogline.ledger.plans import PlanKey, record_announcement, record_body, reserve_plan
from fogline.ledger.schema import ModelRow
from fogline.messages.plan import EventTimeSpan, Interval, ModelReference, Plan
from fogline.model import GlobalModel
from fogline.rounds.judge import PlanState
from fogline.steps.services import Services
from fogline.versions import Version


@dataclass(frozen=True)
class NamedModel:
    """A model that a plan names, with its version when it has one."""

    version: Version | None
    model: GlobalModel


@dataclass(frozen=True)
class Draft:
    """What is to be announced; ``specification`` is the one of an older plan that this one belongs to, if any."""

    purpose: str
    kind: Literal["train", "measure"]
    window: EventTimeSpan
    quorum: int
    deadline_s: float
    head_no: int
    dag_run_id: str
    round_id: int | None = None
    measure: Literal["scores", "statistics"] | None = None
    rows: Literal["all", "training", "held_out"] = "all"
    interval: Interval | None = None
    specification: Specification | None = None


def announce(
    services: Services,
    federation: Federation,
    draft: Draft,
    models: Mapping[str, NamedModel],
) -> PlanState:
    """Announce a plan to the fogs; the steps are those of the module's docstring.

    Raises
    ------
    FeatureError
        An expression of the specification is no valid SQL: its file was changed a moment ago. Nothing is announced.
    """
    _check_expressions(federation, draft, models)
    key = PlanKey(federation.federation, federation.branch, draft.purpose)
    with services.ledger.transaction() as session:
        plan_id = reserve_plan(session, key, draft.dag_run_id, draft.round_id).plan_id
    assert plan_id is not None
    publisher = Publisher(services.kafka)
    references = tuple(_send_model(publisher, plan_id, name, named) for name, named in models.items())
    plan = _plan(federation, draft, plan_id, references, models)
    with services.ledger.transaction() as session:
        record_body(session, plan)
    record = Record(ROUND_PLANS, f"{federation.federation}/{federation.branch}", plan.to_bytes())
    append_time_ms = publisher.publish([record])[0].timestamp_ms
    with services.ledger.transaction() as session:
        record_announcement(session, plan, append_time_ms)
    return PlanState(plan, append_time_ms)


def _check_expressions(federation: Federation, draft: Draft, models: Mapping[str, NamedModel]) -> None:
    new = federation.specification()
    tried = (named.model.specification for named in models.values())
    if draft.specification is None and not any(have_same_expressions(new, old) for old in tried):
        check_expressions(new)


def _send_model(publisher: Publisher, plan_id: str, name: str, named: NamedModel) -> ModelReference:
    weights = send_vector(
        publisher,
        MODEL_BLOBS,
        f"{plan_id}/{name}",
        named.model.parameters,
        N_BLOBS_PARTITIONS,
    )
    return ModelReference(name=name, version=named.version and str(named.version), weights=weights)


def _plan(
    federation: Federation,
    draft: Draft,
    plan_id: str,
    references: tuple[ModelReference, ...],
    models: Mapping[str, NamedModel],
) -> Plan:
    specification = draft.specification or federation.specification()
    return Plan(
        plan_id=plan_id,
        federation=federation.federation,
        branch=federation.branch,
        purpose=draft.purpose,
        kind=draft.kind,
        measure=draft.measure,
        rows=draft.rows,
        interval=draft.interval,
        window=draft.window,
        members=tuple(specification.fogs),
        quorum=draft.quorum,
        grace_s=federation.round.grace_s,
        deadline_s=draft.deadline_s,
        train_by_share=federation.round.train_by_share,
        head_no=draft.head_no,
        models=references,
        scaler=next((named.model.scaler for named in models.values()), None),
        specification=specification,
        specification_sha256=specification.sha256(),
    )


def load_version(services: Services, row: ModelRow) -> NamedModel:
    """Load a committed version from the store."""
    return NamedModel(Version(row.branch, row.version), _load(services, row.path))


def load_candidate(services: Services, path: str) -> NamedModel:
    """Load a candidate, which has no version yet, by its path in the store."""
    return NamedModel(None, _load(services, path))


def _load(services: Services, path: str) -> GlobalModel:
    return model_files.from_bytes(services.store.read(path), path)
