"""What became of the readings that a fog received for a window, and what is odd about those that it kept."""

import datetime as dt

from pydantic import AwareDatetime, Field

from fogline.federation.reading_rules import Flag
from fogline.messages.base import Message


class ReadingAccount(Message):
    """Records of a window by what became of them; each one counts once.

    ``quarantined`` is by reason code. ``missing`` says of each field how many kept readings have no value of it.
    """

    received: int = Field(default=0, ge=0)
    used: int = Field(default=0, ge=0)
    held_out: int = Field(default=0, ge=0)
    without_target: int = Field(default=0, ge=0)
    left_out: int = Field(default=0, ge=0)
    duplicate: int = Field(default=0, ge=0)
    late: int = Field(default=0, ge=0)
    quarantined: dict[str, int] = Field(default_factory=dict)
    missing: dict[str, int] = Field(default_factory=dict)

    @property
    def n_quarantined(self) -> int:
        """How many were quarantined, for any reason."""
        return sum(self.quarantined.values())

    @property
    def balance(self) -> int:
        """What was received and is not accounted for; 0 when all is right."""
        kept = self.used + self.held_out + self.without_target + self.left_out
        return self.received - kept - self.n_quarantined - self.duplicate - self.late


class SensorFlag(Message):
    """Something odd about one sensor's readings of a window.

    Attributes
    ----------
    field
        Empty where it is about the sensor as a whole.
    first
        Event time of the first reading concerned.
    n_times
        How often it happened.
    longest_s
        How long the longest stuck stretch or gap lasted, in seconds of event time.
    unit
        What a value seems to have switched to.
    """

    flag: Flag
    sensor_id: str
    field: str = ""
    first: AwareDatetime
    n_times: int = Field(ge=1)
    longest_s: float | None = None
    unit: str | None = None

    def __str__(self) -> str:
        what = {"stuck": "stuck", "gap": "gap", "unit_switch": f"unit switch to {self.unit}"}[self.flag]
        lasts = "" if self.longest_s is None else f", longest {dt.timedelta(seconds=self.longest_s)}"
        return (
            f"{self.sensor_id} {self.field}: {what}, {self.n_times} times from {self.first:%Y-%m-%d %H:%M:%S} on{lasts}"
        )
