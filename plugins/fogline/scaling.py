"""The federated scaler: z-scores from merged moments, the same numbers at every fog and in every prediction."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from fogline.sums import Moments

Floats = npt.NDArray[np.float64]

# Far outliers would dominate a gradient; eight standard deviations keep every plausible reading.
CLIP_Z = 8.0


class Scale(BaseModel):
    """Mean and standard deviation of one column."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean: float
    sd: float

    @classmethod
    def of(cls, moments: Moments) -> "Scale":
        """Take the scale of merged moments."""
        return cls(mean=moments.mean, sd=moments.sd)


class Scaler(BaseModel):
    """The scale of every feature, in order, and of the target (None for classes)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: dict[str, Scale]
    target: Scale | None

    @classmethod
    def of(cls, features: Mapping[str, Moments], target: Moments | None) -> "Scaler":
        """Build the scaler from merged moments."""
        return cls(
            features={name: Scale.of(moments) for name, moments in features.items()},
            target=Scale.of(target) if target else None,
        )

    def scale_inputs(self, columns: Mapping[str, Floats]) -> Floats:
        """Return model inputs, shape ``(n, n_features)``: clipped z-scores, a missing value is the federated mean."""
        scaled = [(columns[name] - scale.mean) / scale.sd for name, scale in self.features.items()]
        stacked = np.column_stack(scaled)
        # After scaling the mean is zero.
        return np.clip(np.nan_to_num(stacked, nan=0.0), -CLIP_Z, CLIP_Z)

    def scale_target(self, target: Floats) -> Floats:
        """Return targets as the model learns them; classes stay as they are."""
        return target if self.target is None else (target - self.target.mean) / self.target.sd

    def unscale_target(self, predicted: Floats) -> Floats:
        """Return predictions in the target's own unit."""
        return predicted if self.target is None else predicted * self.target.sd + self.target.mean
