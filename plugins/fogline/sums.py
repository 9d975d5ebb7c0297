"""Sums that merge: what a fog may say of its readings instead of the readings themselves."""

import math
from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Floats = npt.NDArray[np.float64]


class Moments(BaseModel):
    """Count, mean and sum of squared deviations (M2) of one column, with the count of missing values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n: int = Field(ge=0)
    mean: float = 0.0
    m2: float = Field(default=0.0, ge=0)
    n_missing: int = Field(default=0, ge=0)

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Summarise a column of shape ``(n,)``; NaN counts as missing."""
        present = values[~np.isnan(values)]
        mean = float(present.mean()) if present.size else 0.0
        m2 = float(((present - mean) ** 2).sum())
        return cls(n=present.size, mean=mean, m2=m2, n_missing=values.size - present.size)

    def merge(self, other: Self) -> Self:
        """Return the moments of both columns together (Chan, Golub, LeVeque 1983, formula 2.1)."""
        n = self.n + other.n
        if n == 0:
            return type(self)(n=0, n_missing=self.n_missing + other.n_missing)
        delta = other.mean - self.mean
        return type(self)(
            n=n,
            mean=self.mean + delta * other.n / n,
            m2=self.m2 + other.m2 + delta * delta * self.n * other.n / n,
            n_missing=self.n_missing + other.n_missing,
        )

    @property
    def sd(self) -> float:
        """The population standard deviation; 1 where the column does not vary, so that scaling by it is harmless."""
        sd = math.sqrt(self.m2 / self.n) if self.n else 0.0
        return sd if sd > 1e-12 else 1.0


class ScoreSums(BaseModel):
    """Sums of errors and targets in the target's own unit.

    For regression the error is prediction minus target. For classification it is 0 or 1: a right or a wrong class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n: int = Field(ge=0)
    sum_error: float = 0.0
    sum_error2: float = Field(default=0.0, ge=0)
    sum_target: float = 0.0
    sum_target2: float = Field(default=0.0, ge=0)

    @classmethod
    def of(cls, error: Floats, target: Floats) -> Self:
        """Sum up errors and targets, both of shape ``(n,)``."""
        return cls(
            n=error.size,
            sum_error=float(error.sum()),
            sum_error2=float((error * error).sum()),
            sum_target=float(target.sum()),
            sum_target2=float((target * target).sum()),
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Add up the sums of several fogs, in the order given."""
        rows = list(parts)
        return cls(
            n=sum(p.n for p in rows),
            sum_error=sum(p.sum_error for p in rows),
            sum_error2=sum(p.sum_error2 for p in rows),
            sum_target=sum(p.sum_target for p in rows),
            sum_target2=sum(p.sum_target2 for p in rows),
        )

    @property
    def rmse(self) -> float | None:
        """Root mean squared error in the target's unit; None when there is nothing to judge."""
        return math.sqrt(self.sum_error2 / self.n) if self.n else None

    @property
    def r2(self) -> float | None:
        """Coefficient of determination; None when there is nothing to judge or the target does not vary."""
        if not self.n:
            return None
        spread = self.sum_target2 - self.sum_target**2 / self.n
        return 1 - self.sum_error2 / spread if spread > 0 else None

    @property
    def accuracy(self) -> float | None:
        """Share of right classes (classification); None when there is nothing to judge."""
        return 1 - self.sum_error / self.n if self.n else None
