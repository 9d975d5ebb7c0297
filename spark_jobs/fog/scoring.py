"""The sums by which models are judged."""

import numpy as np
import numpy.typing as npt

from fogline.network import Network
from fogline.scaling import Scaler
from fogline.sums import ScoreSums
from spark_jobs.fog.errors import Decline, PlanDeclined
from spark_jobs.fog.examples import Rows

# A long window's hidden layers at once would take hundreds of MiB.
CHUNK = 8192


def score(network: Network, parameters: npt.NDArray[np.float64], scaler: Scaler, rows: Rows) -> ScoreSums:
    """Sum up a model's errors on rows that have a target, in the target's own unit.

    Raises
    ------
    PlanDeclined
        The model's predictions are not finite, so no sum of them would say anything.
    """
    if not len(rows):
        return ScoreSums(n=0)
    with np.errstate(all="ignore"):
        inputs = scaler.scale_inputs(rows.columns)
        parts = [network.predict(parameters, inputs[at : at + CHUNK]) for at in range(0, len(rows), CHUNK)]
        outputs = np.concatenate(parts)
        if network.task == "classification":
            return ScoreSums.of((outputs != rows.target).astype(np.float64), rows.target)
        error = scaler.unscale_target(outputs) - rows.target
        if not np.isfinite(error @ error):
            raise PlanDeclined(Decline.NOT_FINITE, "a model's predictions are not finite; go back to an older version")
    return ScoreSums.of(error, rows.target)
