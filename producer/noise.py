"""Noise that is a pure function of a stream and a moment, so that any stretch of it can be made at any time."""

import hashlib

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def stream_key(*parts: object) -> int:
    """Return a 64-bit key for a named stream of noise."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "little")


def gaussian(key: int, index: npt.NDArray[np.int64]) -> Floats:
    """Return standard normal numbers, one an index, shape as ``index``."""
    bits = _mixed(index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key))
    radius = np.sqrt(-2 * np.log(_unit(bits)))
    return radius * np.cos(2 * np.pi * _unit(_mixed(bits)))


def smooth(key: int, times_s: Floats, period_s: float) -> Floats:
    """Return standard normal numbers that change slowly, a new value each period, shape as ``times_s``.

    Between two values the weights are cosine and sine: their squares add to one, so the variance stays one.
    """
    knot = np.floor(times_s / period_s).astype(np.int64)
    angle = (times_s / period_s - knot) * (np.pi / 2)
    return np.cos(angle) * gaussian(key, knot) + np.sin(angle) * gaussian(key, knot + 1)


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # The finaliser of splitmix64: plain integer arithmetic, the same on every platform.
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _unit(bits: npt.NDArray[np.uint64]) -> Floats:
    # In (0, 1]: the logarithm of zero is none.
    return ((bits >> np.uint64(11)).astype(np.float64) + 1) / 2**53
