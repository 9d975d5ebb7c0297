"""The sealed answers of a plan, and the aggregation's result: the result is a function of the seal, to the byte."""

from pydantic import Field

from fogline.canonical import canonical_json, sha256_hex
from fogline.messages.answer import Answer
from fogline.messages.base import Message
from fogline.messages.cause import Cause
from fogline.messages.plan import Plan


class Seal(Message):
    """A plan and the accepted answers to it, in the plan's order of fogs."""

    plan: Plan
    answers: tuple[Answer, ...]

    def digest(self) -> str:
        """Return the seal's name: what a result claims to be computed from."""
        return sha256_hex(canonical_json(self.model_dump(mode="json")))


class FogContribution(Message):
    """One row of the aggregation's table; ``cause`` and ``reason`` say why a fog was rejected."""

    fog: str
    n_examples: int = Field(ge=0)
    share: float
    update_norm_l2: float | None
    cause: Cause | None = None
    reason: str | None = None


class Candidate(Message):
    """The aggregated model in the store."""

    digest: str
    n_parameters: int = Field(ge=1)
    n_examples: int = Field(ge=0)
    path: str


class Result(Message):
    """What the aggregation job leaves beside the candidate, also when there is none; then ``reason`` says why."""

    plan_id: str
    seal_digest: str
    candidate: Candidate | None
    reason: str | None = None
    contributions: tuple[FogContribution, ...]
