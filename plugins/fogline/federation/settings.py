"""The federation file as pydantic models: the only definition of what it may hold."""

import datetime as dt
import math
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, field_validator, model_validator

from fogline.canonical import canonical_json, sha256_hex
from fogline.federation.reading_rules import FieldRule, Positive, ReadingRules, Section, check_keys
from fogline.partitioners import Partitioner
from fogline.versions import MAIN

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=100)]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
# A branch's file is <federation>.<branch>.yaml, its DAG <kind>__<federation>__<branch>.
BranchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=60)]
Share = Annotated[str, StringConstraints(pattern=r"^(100|[1-9][0-9]?)%$")]


class Fog(Section):
    """A fog node: its sensors and the topic on which their readings arrive."""

    sensors: tuple[Name, ...] = Field(min_length=1)
    topic: Name = "sensor-data"


class TopicRules(Section):
    """Declares how a topic's producers place keys; with null a key may lie in any partition, so fogs read all."""

    partitioner: Partitioner | None = None


class Target(Section):
    """What the model learns to predict."""

    name: ColumnName
    expression: str
    unit: str = ""


class Model(Section):
    """The model's kind and size; ``hidden`` belongs to ``mlp``, ``n_classes`` to classification."""

    kind: Literal["linear", "logistic", "mlp"]
    task: Literal["regression", "classification"] = "regression"
    hidden: tuple[Annotated[int, Field(gt=0, le=100_000)], ...] = ()
    n_classes: int | None = Field(default=None, ge=2, le=10_000)

    @model_validator(mode="after")
    def _kind_fits_task(self) -> Self:
        if (self.kind == "mlp") != bool(self.hidden):
            raise ValueError("an mlp needs hidden: [sizes…], the other kinds take no hidden layers")
        if (self.task == "classification") != (self.n_classes is not None):
            raise ValueError("classification needs n_classes, regression takes none")
        if (self.kind, self.task) in {
            ("linear", "classification"),
            ("logistic", "regression"),
        }:
            raise ValueError(f"{self.kind} does not do {self.task}; use linear for regression, logistic for classes")
        return self


class Training(Section):
    """Local SGD at each fog.

    After the share ``decay_from`` of a round's local steps the learning rate falls linearly to zero, which takes the
    noise of the last batches out of an update; 1 keeps it constant.
    """

    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    decay_from: float = Field(default=1.0, ge=0, le=1)


class Strategy(Section):
    """How updates become a candidate."""

    rule: Literal["weighted_mean"] = "weighted_mean"


class RoundPolicy(Section):
    """When a round closes: all answered, quorum plus grace, or the deadline.

    The quorum is ``all``, a number of fogs, or a share of them such as ``75%`` (rounded up).
    """

    quorum: Literal["all"] | Annotated[int, Field(ge=1)] | Share = "all"
    grace_s: float = Field(default=5.0, ge=0)
    deadline_s: float = Field(default=120.0, gt=0)
    # What is left of the deadline after it pays for training and the way back.
    train_by_share: float = Field(default=0.5, gt=0, lt=1)


class Approval(Section):
    """A person confirms each candidate in Airflow; after ``timeout_s`` the default is taken."""

    timeout_s: float = Field(default=86_400.0, gt=0)
    default: Literal["publish", "refuse"] = "refuse"


class Promotion(Section):
    """What a candidate must be to become the global model.

    Its error on the held-out days may be worse than its base's by the share ``tolerance``. A refusal leaves the task
    skipped or failed; the round is over either way, and the next one can run.
    """

    tolerance: float = Field(default=0.25, ge=0)
    on_refusal: Literal["skip", "fail"] = "skip"
    approval: Approval | None = None


class Alerts(Section):
    """Whom to tell of a round whose run failed, or is not over ``late_after_s`` after it was queued.

    ``connection`` is an Airflow connection of type HTTP whose address is posted a JSON document; null: no deadline.
    """

    connection: str = Field(default="fogline_alerts", min_length=1)
    late_after_s: float | None = Field(default=None, gt=0)


class Initialise(Section):
    """The stretch of event time whose statistics become the federation's scaler."""

    window_start: AwareDatetime
    window_end: AwareDatetime

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.window_start >= self.window_end:
            raise ValueError("window_start is not before window_end; swap them")
        return self


class Specification(Section):
    """Everything in the file that decides the bytes of a round; a plan carries it whole, with its hash."""

    federation: Name
    start: AwareDatetime
    interval: Positive
    window: Positive
    look_back: dt.timedelta = Field(default=dt.timedelta(0), ge=dt.timedelta(0))
    seed: int = Field(default=0, ge=0)
    held_out_share: float = Field(default=0.05, ge=0, lt=1)
    lateness: dt.timedelta = Field(default=dt.timedelta(days=1), ge=dt.timedelta(0))
    readings: ReadingRules = ReadingRules()
    fields: dict[ColumnName, FieldRule] = Field(min_length=1)
    fogs: dict[Name, Fog] = Field(min_length=1)
    features: dict[ColumnName, str] = Field(min_length=1)
    target: Target
    model: Model
    training: Training
    strategy: Strategy = Strategy()

    @field_validator("start")
    @classmethod
    def _start_in_utc(cls, value: dt.datetime) -> dt.datetime:
        return value.astimezone(dt.UTC)

    @field_validator("features")
    @classmethod
    def _features_in_order_of_name(cls, value: dict[str, str]) -> dict[str, str]:
        # The order decides which weight belongs to which feature, and JSON does not keep the file's.
        return dict(sorted(value.items()))

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        owners: dict[str, str] = {}
        for fog, settings in self.fogs.items():
            for sensor in settings.sensors:
                if sensor in owners:
                    raise ValueError(f"sensor {sensor} belongs to {owners[sensor]} and {fog}; give it to one fog")
                owners[sensor] = fog
        check_keys(self.fields, self.readings)
        if self.target.name in self.features:
            raise ValueError(f"the target {self.target.name} is also a feature; rename or remove one")
        if self.window < self.interval:
            raise ValueError("window is shorter than interval, so readings would never be trained on; lengthen it")
        return self

    def sha256(self) -> str:
        """Return the hash by which a fog and the cloud know that they mean the same specification."""
        return sha256_hex(canonical_json(self.model_dump(mode="json")))

    @property
    def sensors(self) -> dict[str, str]:
        """The fog of each sensor."""
        return {sensor: fog for fog, settings in self.fogs.items() for sensor in settings.sensors}

    def sensors_on(self, topic: str) -> tuple[str, ...]:
        """Return the sensors of all fogs that read a topic."""
        return tuple(sensor for fog in self.fogs.values() if fog.topic == topic for sensor in fog.sensors)

    def warden(self, topic: str) -> str | None:
        """Return the fog that quarantines a topic's records of unknown sensors, so that one does and not all."""
        if self.readings.unknown_sensors == "ignore":
            return None
        return min(name for name, fog in self.fogs.items() if fog.topic == topic)


class Federation(Specification):
    """A federation file: the specification, and how its rounds are run.

    ``branch`` and ``begins_at`` (a version such as ``main@12``) come from a branch's own file; see `load`.
    """

    description: str
    owner: str = "fogline"
    schedule: Literal["none", "live"] = "none"
    round: RoundPolicy = RoundPolicy()
    promotion: Promotion = Promotion()
    alerts: Alerts | None = None
    initialise: Initialise
    aggregation: Literal["spark-submit", "spark-connect"] = "spark-submit"
    topics: dict[Name, TopicRules] = Field(default_factory=dict)
    branch: BranchName = MAIN
    begins_at: str | None = None

    @model_validator(mode="after")
    def _quorum_can_be_met(self) -> Self:
        if isinstance(self.round.quorum, int) and self.round.quorum > len(self.fogs):
            raise ValueError(f"quorum {self.round.quorum} is above the {len(self.fogs)} fogs; lower it")
        return self

    @model_validator(mode="after")
    def _topics_are_read(self) -> Self:
        read = sorted({fog.topic for fog in self.fogs.values()})
        for topic in self.topics:
            if topic not in read:
                raise ValueError(f"topics.{topic}: no fog reads it; they read {', '.join(read)}")
        return self

    def partitioner(self, topic: str) -> Partitioner | None:
        """Return the declared partitioner of a topic."""
        return self.topics[topic].partitioner if topic in self.topics else None

    @property
    def quorum(self) -> int:
        """How many accepted answers a round needs."""
        wanted = self.round.quorum
        if isinstance(wanted, int):
            return wanted
        share = 100 if wanted == "all" else int(wanted.removesuffix("%"))
        return math.ceil(len(self.fogs) * share / 100)

    def specification(self) -> Specification:
        """Return the part that decides a round's bytes."""
        return Specification.model_validate(self.model_dump(include=set(Specification.model_fields), round_trip=True))
