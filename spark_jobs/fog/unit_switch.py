"""Finds where a field's values go over into another unit, or back.

A value in the other unit is ``scale * right + offset``. One value is the same in both units (-40 for °C and °F): the
fixed point. The distance from it is ``scale`` times as large in the other unit, so on a logarithmic scale a switch is a
jump of always the same size, whatever the value; with ``scale`` 1 it is a jump by ``offset``. Between two consecutive
values there is a switch where all of this holds:

1. The step from one to the next is that jump, to within half of it and to within `N_STEPS_OFF` usual steps. Where it
   leads over the fixed point it must instead, once all is in the right unit, be at most `N_STEPS_OFF` usual steps.
2. The median of the `N_BESIDE` values from there on differs from that of those before by that jump, to within half of
   it, and the shares of both that lie above the fixed point differ by at most 1 - `ALIKE_SHARE`.
3. The jump is more than `N_STEPS_LOCAL` usual steps.
4. The step is more than `N_STEPS_LONG` times what is usual in the right unit all over the window: before a switch into
   the other unit, after a switch back. A calm, whose values lie near a fixed point 0, is no switch.

Usual are in 1 to 3 the steps between these values that three in four don't exceed, in 4 the median of steps.

What this can't see: values near the fixed point, where both units say nearly the same; a switch with fewer than
`N_BESIDE` values before or after it in the window; one where the field changes within a few readings as much as the
unit changes it (hourly wind in km/h for m/s).
"""

import statistics
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fogline.federation.reading_rules import OtherUnit

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

N_BESIDE = 12
N_STEPS_OFF = 5.0
N_STEPS_LOCAL = 2.5
N_STEPS_LONG = 8.0
# Of the jump: where values don't change at all, as much is still allowed for rounding.
ALIKE_SHARE = 0.4
LEAST_STEP = 0.01
N_STRETCHES = 16
# Makes a median of absolute values a standard deviation.
TO_DEVIATION = 1.4826


def switches(values: Values, unit: OtherUnit) -> Places:
    """Return where values go over into another unit, or back.

    Parameters
    ----------
    values
        A sensor's values of a field in the order of event time, finite.

    Returns
    -------
    numpy.ndarray
        The index of the first value after each switch, ascending.
    """
    if len(values) < 2 * N_BESIDE:
        return np.empty(0, np.int64)
    scale = _Scale.of(values, unit)
    places = scale.candidates(values)
    if not len(places):
        return places
    return places[_confirmed(values, places, scale, unit)]


@dataclass(frozen=True)
class _Scale:
    """Values where a switch is a jump of always the same size; ``side`` of the fixed point is -1, 0 or 1."""

    heights: Values
    side: Values
    jump: float

    @classmethod
    def of(cls, values: Values, unit: OtherUnit) -> "_Scale":
        if unit.scale == 1:
            return cls(values, np.zeros(len(values)), unit.offset)
        distance = values - unit.offset / (1 - unit.scale)
        heights = np.log(np.maximum(np.abs(distance), np.finfo(np.float64).tiny))
        return cls(heights, np.sign(distance), float(np.log(unit.scale)))

    def candidates(self, values: Values) -> Places:
        """Return the places with a large enough step of the right size, and with enough values on both sides."""
        places = np.arange(N_BESIDE, len(values) - N_BESIDE + 1)
        steps = np.diff(self.heights)[places - 1]
        fits = np.abs(np.abs(steps) - abs(self.jump)) <= abs(self.jump) / 2
        places = places[fits]
        step = np.abs(values[places] - values[places - 1])
        return places[step > N_STEPS_LONG * _usual_steps(values, places, self.into(places))]

    def into(self, places: Places) -> Mask:
        """Return where the values after a place would be in the other unit, not those before it."""
        rises: Mask = self.heights[places] > self.heights[places - 1]
        return rises if self.jump > 0 else ~rises


def _usual_steps(values: Values, places: Places, before: Mask) -> Values:
    """Return the usual step before each place, or after it: over whole stretches, else over the nearest values."""
    if not len(places):
        return np.empty(0)
    steps = np.abs(np.diff(values))
    n = max(1, min(N_STRETCHES, len(steps) // N_BESIDE))
    length = len(steps) // n
    usual = np.median(steps[: n * length].reshape(n, length), axis=1).tolist()
    nothing = float("nan")
    earlier = np.array([statistics.median(usual[:at]) if at else nothing for at in range(n)])
    later = np.array([statistics.median(usual[at + 1 :]) if at + 1 < n else nothing for at in range(n)])
    at = np.minimum(places // length, n - 1)
    found: Values = np.where(before, earlier[at], later[at])
    empty = np.isnan(found)
    first = np.where(before, places - N_BESIDE, places)[empty]
    found[empty] = np.median(steps[first[:, None] + np.arange(N_BESIDE - 1)], axis=1)
    return found * TO_DEVIATION


def _confirmed(values: Values, places: Places, scale: _Scale, unit: OtherUnit) -> Mask:
    before, after = places[:, None] + np.arange(-N_BESIDE, 0), places[:, None] + np.arange(N_BESIDE)
    into, jump = scale.into(places), abs(scale.jump)
    # Turned so that each would be a switch into the other unit, which raises the heights.
    turn = np.where(into, 1.0, -1.0) * np.sign(scale.jump)
    step = turn * (scale.heights[places] - scale.heights[places - 1])
    between = turn * (np.median(scale.heights[after], axis=1) - np.median(scale.heights[before], axis=1))
    local = np.maximum(_three_in_four(scale.heights[before], scale.heights[after]), LEAST_STEP * jump)
    crosses = scale.side[places] != scale.side[places - 1]
    on_one_side = ~crosses & (np.abs(step - jump) <= np.minimum(N_STEPS_OFF * local, jump / 2))
    fits = on_one_side | (crosses & _is_usual(values[before], values[after], into[:, None], unit))
    above = (scale.side[before] > 0).mean(axis=1) - (scale.side[after] > 0).mean(axis=1)
    stays = (np.abs(between - jump) <= jump / 2) & (np.abs(above) <= 1 - ALIKE_SHARE)
    confirmed: Mask = fits & stays & (jump > N_STEPS_LOCAL * local)
    return confirmed


def _is_usual(before: Values, after: Values, into: Mask, unit: OtherUnit) -> Mask:
    """Return where the step between the two is a usual one once all is in the right unit."""
    before = np.where(into, before, (before - unit.offset) / unit.scale)
    after = np.where(into, (after - unit.offset) / unit.scale, after)
    usual: Mask = np.abs(after[:, 0] - before[:, -1]) <= N_STEPS_OFF * _three_in_four(before, after)
    return usual


def _three_in_four(before: Values, after: Values) -> Values:
    steps = np.abs(np.concatenate([np.diff(before, axis=1), np.diff(after, axis=1)], axis=1))
    quantile: Values = np.quantile(steps, 0.75, axis=1)
    return quantile
