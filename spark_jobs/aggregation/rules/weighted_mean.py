"""The mean of the updates, each weighted by the examples it was trained on (McMahan et al. 2017, algorithm 1)."""

import numpy as np
import numpy.typing as npt

from fogline.blocks import Vector


def weighted_mean(updates: Vector, n_examples: npt.NDArray[np.int64]) -> Vector:
    """Average updates by their share of the examples.

    Parameters
    ----------
    updates
        Shape ``(n_fogs, n_columns)``, float32, finite.
    n_examples
        Shape ``(n_fogs,)``, int64, not negative, with a positive sum.

    Returns
    -------
    Vector
        Shape ``(n_columns,)``, float32: added up in float64 in the order of the rows, rounded once.
    """
    shares = n_examples / n_examples.sum()
    total = np.zeros(updates.shape[1])
    part = np.empty_like(total)
    # Not a matrix product: BLAS adds up in an order that depends on the processor.
    for update, share in zip(updates, shares, strict=True):
        np.multiply(update, share, out=part, dtype=np.float64)
        total += part
    return total.astype(np.float32)
