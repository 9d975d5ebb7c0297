"""The files that an aggregation leaves: the candidate, and last the result, which is written once and then compared."""

from fogline.artifacts import ArtifactStore
from fogline.blocks import Vector
from fogline.canonical import sha256_hex
from fogline.messages.base import MAX_STORED_BYTES
from fogline.messages.seal import Candidate, Result, Seal
from fogline.model import GlobalModel, Lineage
from spark_jobs.aggregation.errors import AggregationError


class ResultDiffersError(AggregationError):
    """The same plan gave another result before."""


def write_candidate(store: ArtifactStore, seal: Seal, parameters: Vector, n_examples: int) -> Candidate:
    """Write the candidate's file, named by its plan and the digest of its parameters, unless it is there.

    Raises
    ------
    AggregationError
        The plan has no scaler, without which the parameters predict nothing.
    """
    plan = seal.plan
    if plan.scaler is None:
        raise AggregationError(f"{plan.plan_id}: the plan has no scaler; run initialise_federation and announce again")
    lineage = Lineage(
        federation=plan.federation,
        branch=plan.branch,
        plan_id=plan.plan_id,
        base_digest=plan.model_named("base").weights.digest,
        seal_digest=seal.digest(),
    )
    model = GlobalModel(parameters, plan.specification, plan.scaler, lineage)
    if not store.exists(model.path):
        store.write(model.path, model.to_bytes())
    return Candidate(digest=model.digest, n_parameters=parameters.size, n_examples=n_examples, path=model.path)


def write_result(store: ArtifactStore, result: Result) -> None:
    """Write the result, or compare it with the one that is there.

    Raises
    ------
    ResultDiffersError
        Another one is there. It stays; the new one is kept beside it.
    """
    path, data = f"{result.plan_id}/result.json", result.to_bytes()
    if not store.exists(path):
        store.write(path, data)
        return
    before = store.read(path)
    if before != data:
        beside = f"{result.plan_id}/result.differs-{sha256_hex(data)[:12]}.json"
        store.write(beside, data)
        difference = _difference(Result.from_bytes(before, MAX_STORED_BYTES), result)
        raise ResultDiffersError(
            f"{result.plan_id}: {difference}; the earlier result stays, this one is kept as {beside}"
        )


def _difference(before: Result, now: Result) -> str:
    if before.seal_digest != now.seal_digest:
        return f"the seal was {before.seal_digest[:12]} and is now {now.seal_digest[:12]}"
    for earlier, later in zip(before.contributions, now.contributions, strict=False):
        if earlier != later:
            return f"{earlier.fog}'s contribution was ({earlier}) and is now ({later})"
    return f"the candidate was {_name(before)} and is now {_name(now)}"


def _name(result: Result) -> str:
    return result.candidate.digest[:12] if result.candidate else f"none ({result.reason})"
