"""What a federation file says of its readings: a rule a field, one for the time, one for the record as a whole."""

import codecs
import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from fogline.zones import zone_named

Key = Annotated[str, StringConstraints(pattern=r'^[^"\\\x00-\x1f]+$', max_length=200)]
Positive = Annotated[dt.timedelta, Field(gt=dt.timedelta(0))]
Flag = Literal["stuck", "unit_switch", "gap"]
ISO_8601 = "iso8601"
# A moment whose day, month, year and clock have different digits.
_SAMPLE = dt.datetime(2031, 10, 25, 13, 47, 58, tzinfo=dt.UTC)


class Section(BaseModel):
    """A part of the file: no unknown keys, no infinities, never changed after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TextForm(Section):
    """How a number is written where it arrives as text; with ``suffix`` the text must end with it."""

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'", "\u00a0", "\u202f"] = ""
    suffix: str = Field(default="", max_length=20)

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; change one")
        return self


class OtherUnit(Section):
    """A unit that a sensor may switch to: what it then sends is ``scale`` times the right value plus ``offset``."""

    scale: float = Field(default=1.0, gt=0)
    offset: float = 0.0

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.scale == 1 and self.offset == 0:
            raise ValueError("scale 1 and offset 0 is the field's own unit; give what differs")
        return self


class FieldRule(Section):
    """What one value in a reading may be; anything else is quarantined.

    ``number`` takes any JSON number, ``integer`` a whole one, ``boolean`` true and false (1 and 0). Numbers written as
    text are taken only as ``text`` says. ``missing`` has the values that mean that there is none; so do null and an
    absent field, unless it is ``required``. ``names`` are other keys under which the field may arrive. A value that
    does not change for ``stuck_after``, and one that goes over into one of ``other_units``, are flagged.
    """

    unit: str = ""
    type: Literal["number", "integer", "boolean"] = "number"
    min: float
    max: float
    text: TextForm | None = None
    missing: tuple[float | str, ...] = ()
    required: bool = False
    names: tuple[Key, ...] = ()
    stuck_after: Positive | None = None
    other_units: dict[str, OtherUnit] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _booleans_have_their_range(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("type") == "boolean":
            return {"min": 0, "max": 1, **value}
        return value

    @model_validator(mode="after")
    def _range_is_possible(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}; swap them")
        return self


class TimeRule(Section):
    """How the event time is written: under which ``key``, as ``text`` and as a ``number`` since 1970.

    ``text`` is ``iso8601`` or a pattern of strptime such as ``%d/%m/%Y %H:%M``; null takes no text. ``number`` is the
    unit of numbers; null takes no numbers. ``zone`` is where text without an offset is local; null refuses such text.
    Times before ``earliest``, and those ahead of the fog's clock by more than ``max_ahead``, are refused.
    """

    key: Key = "event_time"
    text: str | None = ISO_8601
    number: Literal["s", "ms", "us", "ns"] | None = None
    zone: str | None = None
    earliest: AwareDatetime = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    max_ahead: dt.timedelta = Field(default=dt.timedelta(minutes=5), ge=dt.timedelta(0))

    @field_validator("earliest")
    @classmethod
    def _earliest_is_storable(cls, value: dt.datetime) -> dt.datetime:
        if value.year < 1970:
            raise ValueError("before 1970 no reading is taken; give a later time")
        return value.astimezone(dt.UTC)

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        if value is not None:
            zone_named(value)
        return value

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.text is None and self.number is None:
            raise ValueError("text and number are both null, so no time could be read; give one")
        if self.text not in (None, ISO_8601):
            self._check_pattern(self.text)
        return self

    def _check_pattern(self, pattern: str) -> None:
        try:
            read = dt.datetime.strptime(_SAMPLE.strftime(pattern), pattern)
        except ValueError as error:
            raise ValueError(
                f"text {pattern!r} is no pattern of strptime ({error}); mend it, or say iso8601"
            ) from error
        if (read.date(), read.hour, read.minute) != (_SAMPLE.date(), _SAMPLE.hour, _SAMPLE.minute):
            raise ValueError(f"text {pattern!r} leaves out the day, the hour or the minute; name them all")
        if read.tzinfo is None and self.zone is None:
            raise ValueError(f"text {pattern!r} has no offset (%z); say in which zone it is local")


class ReadingRules(Section):
    """What the file says of records as a whole, of time, and of what is flagged.

    A record is a JSON object in ``encoding``, of at most ``max_bytes``; its key is what stands under ``sensor_key``.
    One of a sensor that no fog of the federation has is quarantined by the topic's first fog, or ignored where other
    federations share the topic. ``leave_out`` names the flags whose sensor is not trained on in that window.
    """

    encoding: str = "utf-8"
    max_bytes: int = Field(default=16_384, ge=64, le=1_000_000)
    sensor_key: Key = "sensor_id"
    unknown_sensors: Literal["quarantine", "ignore"] = "quarantine"
    time: TimeRule = TimeRule()
    gap_after: Positive | None = None
    leave_out: tuple[Flag, ...] = ()

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, value: str) -> str:
        try:
            codec = codecs.lookup(value)
            " {}".encode(value)
        except (LookupError, UnicodeError) as error:
            raise ValueError(f"{value!r} is no encoding that Python knows; say utf-8, utf-16 or latin-1") from error
        return codec.name


def check_keys(fields: dict[str, FieldRule], rules: ReadingRules) -> None:
    """Check that no two things in a record go by one key.

    Raises
    ------
    ValueError
        Names the key and both.
    """
    owners = {rules.sensor_key: "readings.sensor_key"}
    if rules.time.key in owners:
        raise ValueError(f"{rules.time.key} is readings.sensor_key and readings.time.key; rename one")
    owners[rules.time.key] = "readings.time.key"
    for name, rule in fields.items():
        for key in (name, *rule.names):
            if key in owners:
                raise ValueError(f"{key} is {owners[key]} and a name of fields.{name}; rename one")
            owners[key] = f"a name of fields.{name}"
