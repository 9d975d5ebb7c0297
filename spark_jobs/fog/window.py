"""What a fog has for the window of a training plan: its examples, and what became of everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fogline.messages.account import ReadingAccount, SensorFlag
from fogline.messages.plan import Plan
from spark_jobs.fog.account import account_of, of_sensors
from spark_jobs.fog.errors import Decline, PlanDeclined
from spark_jobs.fog.examples import Rows, sensor_days
from spark_jobs.fog.flags import flags_of

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TrainingWindow:
    """The rows of a window, and which of them a plan leaves out because their sensor is flagged."""

    plan: Plan
    sensors: Sequence[str]
    readings: pa.Table
    rows: Rows
    left_out: Mask
    flags: tuple[SensorFlag, ...]
    account: ReadingAccount

    @classmethod
    def of(
        cls, plan: Plan, sensors: Sequence[str], kept: pa.Table, readings: pa.Table, rows: Rows, unused: pa.Table
    ) -> "TrainingWindow":
        """Look at a window.

        Parameters
        ----------
        sensors
            The fog's own.
        kept, readings, rows
            Its readings: in the store's columns, in those that features are made of, and as rows.
        unused
            Its other records.
        """
        rules = plan.specification.readings
        flags = flags_of(readings, plan.specification.fields, rules, plan.window, sensors)
        left_out = of_sensors(rows, (one.sensor_id for one in flags if one.flag in rules.leave_out))
        return cls(plan, sensors, readings, rows, left_out, flags, account_of(kept, unused, rows, left_out))

    def examples(self) -> Rows:
        """Return what is trained on.

        Raises
        ------
        PlanDeclined
            There is nothing; the reason says what became of the readings.
        """
        examples = self.rows.where(~self.left_out & ~self.rows.held_out).with_target()
        if not len(examples):
            raise self._nothing()
        return examples

    def manifest(self) -> dict[str, Any]:
        """Return what an update says of its readings."""
        return {"readings": sensor_days(self.readings), "account": self.account, "flags": self.flags}

    def _nothing(self) -> PlanDeclined:
        place = f"from {self.plan.window} of {', '.join(self.sensors)}{self._others()}"
        n_labelled, n_left_out = len(self.rows.with_target()), int(self.left_out.sum())
        if not len(self.rows):
            return PlanDeclined(Decline.NO_READINGS, f"no readings {place}")
        if not n_labelled:
            return PlanDeclined(Decline.NO_TARGET, f"none of the {len(self.rows)} readings {place} has a target")
        if n_left_out:
            flags = ", ".join(self.plan.specification.readings.leave_out)
            reason = f"of {len(self.rows)} readings {place} {n_left_out} are of sensors left out as {flags}"
            return PlanDeclined(Decline.LEFT_OUT, reason)
        return PlanDeclined(Decline.HELD_OUT, f"all {n_labelled} readings {place} lie on held-out days")

    def _others(self) -> str:
        account = self.account
        counts = {"late": account.late, "duplicate": account.duplicate, **account.quarantined}
        said = ", ".join(f"{code} {n}" for code, n in counts.items() if n)
        return f" (not kept: {said})" if said else ""
