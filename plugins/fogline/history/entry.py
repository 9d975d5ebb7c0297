"""What a history holds: committed versions with their scores, and the moves of a branch's head."""

import datetime as dt
import math
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from fogline.versions import Version


def _to_the_millisecond(moment: dt.datetime) -> dt.datetime:
    # No store of the three keeps less than every millisecond, and two of them no more.
    utc = moment.astimezone(dt.UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


Moment = Annotated[AwareDatetime, AfterValidator(_to_the_millisecond)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FogScore(_Record):
    """A fog's errors on its held-out days: of the base (before) and of the version (after), in the target's unit."""

    n: int = Field(ge=0)
    rmse_before: float | None
    rmse_after: float | None


class HistoryEntry(_Record):
    """A committed version of a branch.

    Attributes
    ----------
    base
        The version that it was trained from, such as ``main@11``; None for version 0.
    copy_of
        The version of another branch whose model this is, where a branch began or was promoted.
    interval_index, interval_start, interval_end
        What it was trained on; None for version 0.
    digest
        SHA-256 of the parameters' wire form, as in the ledger.
    head_no
        The head move that first made it its branch's head.
    committed_at
        To the millisecond, UTC.
    scores
        By fog; empty for version 0.
    """

    federation: str
    branch: str
    version: int = Field(ge=0)
    base: str | None
    copy_of: str | None
    interval_index: int | None
    interval_start: Moment | None
    interval_end: Moment | None
    plan_id: str
    dag_run_id: str
    digest: str
    head_no: int
    committed_at: Moment
    strategy: str
    n_examples: int
    scores: dict[str, FogScore]

    @property
    def name(self) -> Version:
        """The version as people write it."""
        return Version(self.branch, self.version)

    @property
    def label(self) -> str:
        """What errors call it."""
        return str(self.name)

    @property
    def rmse(self) -> float | None:
        """The version's error, all fogs together; None when no fog has a held-out reading."""
        judged = [(score.n, score.rmse_after) for score in self.scores.values() if score.rmse_after is not None]
        n = sum(count for count, _ in judged)
        return math.sqrt(sum(count * rmse**2 for count, rmse in judged) / n) if n else None


class Move(_Record):
    """A move of a branch's head; ``reason`` is ``committed``, ``branched``, ``promoted`` or ``rolled back``."""

    federation: str
    branch: str
    head_no: int = Field(ge=1)
    version: int = Field(ge=0)
    reason: str
    moved_by: str
    moved_at: Moment

    @property
    def label(self) -> str:
        """What errors call it."""
        return f"head move {self.head_no} of {self.branch}"
