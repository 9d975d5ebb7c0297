"""The ledger's tables."""

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Utc(TypeDecorator[dt.datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def branch_of(plan_id: str) -> str:
    """Return the branch of a plan, which its id names."""
    return plan_id.split("/")[1]


class Base(DeclarativeBase):
    """All tables, with constraint names that migrations can refer to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {dt.datetime: Utc, dict[str, Any]: JSON, str: Text}


class Round(Base):
    """One DAG run's round. At most one a branch is open: the open row is the branch's lock.

    ``head_no`` is the head number that it was opened on; ``reason`` says why it ended without a model.
    """

    __tablename__ = "rounds"
    id: Mapped[int] = mapped_column(primary_key=True)
    federation: Mapped[str]
    branch: Mapped[str]
    dag_run_id: Mapped[str]
    interval_index: Mapped[int]
    interval_start: Mapped[dt.datetime]
    interval_end: Mapped[dt.datetime]
    head_no: Mapped[int]
    is_open: Mapped[bool]
    outcome: Mapped[str | None]
    reason: Mapped[str | None]
    opened_at: Mapped[dt.datetime]
    closes_by: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]
    __table_args__ = (
        UniqueConstraint("federation", "branch", "dag_run_id"),
        Index(
            "uq_rounds_open",
            "federation",
            "branch",
            unique=True,
            postgresql_where=text("is_open"),
            sqlite_where=text("is_open"),
        ),
        Index("ix_rounds_interval", "federation", "branch", "interval_index"),
    )


class PlanRow(Base):
    """One announcement; ``body`` is the plan as sent. ``append_time_ms`` is the broker's, set once it was sent."""

    __tablename__ = "plans"
    number: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[str | None] = mapped_column(unique=True)
    federation: Mapped[str]
    branch: Mapped[str]
    purpose: Mapped[str]
    dag_run_id: Mapped[str]
    round_id: Mapped[int | None] = mapped_column(ForeignKey("rounds.id"))
    body: Mapped[str | None]
    append_time_ms: Mapped[int | None] = mapped_column(BigInteger)
    superseded_by: Mapped[int | None]
    __table_args__ = (Index("ix_plans_purpose", "federation", "branch", "purpose"),)


class AnswerRow(Base):
    """One record of ``model-updates`` and its verdict; ``cause`` names why it was rejected."""

    __tablename__ = "answers"
    id: Mapped[int] = mapped_column(primary_key=True)
    federation: Mapped[str]
    topic: Mapped[str]
    partition: Mapped[int]
    offset: Mapped[int] = mapped_column(BigInteger)
    plan_id: Mapped[str | None] = mapped_column(index=True)
    fog: Mapped[str | None]
    append_time_ms: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str]
    cause: Mapped[str | None]
    reason: Mapped[str | None]
    body: Mapped[str | None]
    __table_args__ = (UniqueConstraint("federation", "topic", "partition", "offset"),)


class CursorRow(Base):
    """How far a federation's answers have been read and judged."""

    __tablename__ = "cursors"
    federation: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    next_offset: Mapped[int] = mapped_column(BigInteger)


class SealRow(Base):
    """The sealed set of a plan's answers; written once."""

    __tablename__ = "seals"
    plan_id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    body: Mapped[str]
    closed_because: Mapped[str]
    sealed_at: Mapped[dt.datetime]


class ResultRow(Base):
    """What the aggregation made of a seal."""

    __tablename__ = "results"
    plan_id: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str]
    recorded_at: Mapped[dt.datetime]


class ModelRow(Base):
    """A global model: a committed version of a branch.

    ``base_id`` is the model that it was trained from, on whatever branch that is: following it gives the ancestry.
    ``copy_of_id`` is set where a branch began or was promoted: the version is another branch's model under its own
    name, with that one's base, plan and interval.
    """

    __tablename__ = "models"
    id: Mapped[int] = mapped_column(primary_key=True)
    federation: Mapped[str]
    branch: Mapped[str]
    version: Mapped[int]
    base_id: Mapped[int | None] = mapped_column(ForeignKey("models.id"))
    copy_of_id: Mapped[int | None] = mapped_column(ForeignKey("models.id"))
    digest: Mapped[str]
    path: Mapped[str]
    plan_id: Mapped[str]
    dag_run_id: Mapped[str]
    interval_index: Mapped[int | None]
    n_examples: Mapped[int]
    base_scores: Mapped[dict[str, Any] | None]
    scores: Mapped[dict[str, Any] | None]
    committed_at: Mapped[dt.datetime]
    __table_args__ = (UniqueConstraint("federation", "branch", "version"),)

    @property
    def name(self) -> str:
        """The version as people write it, such as ``main@12``."""
        return f"{self.branch}@{self.version}"

    @property
    def trained_on(self) -> str:
        """The branch whose round made it; another than ``branch`` where that one began or was promoted."""
        return branch_of(self.plan_id)


class HeadMove(Base):
    """A branch's head, move by move; ``sent_at`` is empty until Kafka has the move (an outbox).

    ``reason`` is ``committed``, ``branched``, ``promoted`` or ``rolled back``; ``moved_by`` is a DAG run or a person.
    """

    __tablename__ = "head_moves"
    federation: Mapped[str] = mapped_column(primary_key=True)
    branch: Mapped[str] = mapped_column(primary_key=True)
    head_no: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    plan_id: Mapped[str]
    reason: Mapped[str]
    moved_by: Mapped[str]
    moved_at: Mapped[dt.datetime]
    sent_at: Mapped[dt.datetime | None]


class EvaluationRow(Base):
    """Scores of models over a window: the sums of each fog, by model."""

    __tablename__ = "evaluations"
    plan_id: Mapped[str] = mapped_column(primary_key=True)
    federation: Mapped[str]
    branch: Mapped[str]
    window_start: Mapped[dt.datetime]
    window_end: Mapped[dt.datetime]
    rows: Mapped[str]
    scores: Mapped[dict[str, Any]]
    recorded_at: Mapped[dt.datetime]
