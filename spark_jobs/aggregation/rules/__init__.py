"""The aggregation rules by the name that a federation file gives them."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from fogline.blocks import Vector
from spark_jobs.aggregation.rules.weighted_mean import weighted_mean

# (updates (n_fogs, n_columns) float32, n_examples (n_fogs,) int64) -> (n_columns,) float32. A rule is column-wise, so
# that blocks can be reduced apart from each other, and pure; the tests of the rules hold every one to both.
Rule = Callable[[Vector, npt.NDArray[np.int64]], Vector]

RULES: Mapping[str, Rule] = {"weighted_mean": weighted_mean}
