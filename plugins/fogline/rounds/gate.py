"""The promotion gate: whether a candidate may become the global model, as a function of the evaluation's sums."""

from collections.abc import Mapping
from dataclasses import dataclass

from fogline.sums import ScoreSums


@dataclass(frozen=True)
class GateDecision:
    """What the gate says of a candidate.

    Attributes
    ----------
    passes
        False keeps the branch where it is.
    reason
        One sentence with both numbers.
    """

    passes: bool
    reason: str


def decide(
    base: Mapping[str, ScoreSums], candidate: Mapping[str, ScoreSums], tolerance: float, unit: str, *, classes: bool
) -> GateDecision:
    """Compare a candidate with its base on the held-out days of all fogs together.

    Parameters
    ----------
    base, candidate
        The sums of each fog.
    tolerance
        By which share the candidate's error may be larger than the base's.
    classes
        The error is the share of wrong classes instead of the RMSE.
    """
    before, after = ScoreSums.total(base.values()), ScoreSums.total(candidate.values())
    then, now = error_of(before, classes), error_of(after, classes)
    if then is None or now is None:
        return GateDecision(True, "not judged: no fog has a reading on its held-out days yet")
    what = "share of wrong classes" if classes else "RMSE"
    change = "" if then == 0 else f" ({100 * (now - then) / then:+.1f} %)"
    numbers = f"{what} {then:.4g} → {now:.4g}{'' if classes or not unit else f' {unit}'}{change} on held-out days"
    if now <= then * (1 + tolerance):
        return GateDecision(True, f"{numbers}; within the tolerance of {100 * tolerance:g} %")
    worst = ", ".join(_fog_numbers(fog, base.get(fog), sums, classes) for fog, sums in candidate.items())
    return GateDecision(False, f"{numbers}; above the tolerance of {100 * tolerance:g} %: {worst}")


def error_of(sums: ScoreSums, classes: bool) -> float | None:
    """Return the RMSE, or the share of wrong classes; None where there is nothing to judge."""
    if classes:
        return None if sums.accuracy is None else 1 - sums.accuracy
    return sums.rmse


def _fog_numbers(fog: str, base: ScoreSums | None, candidate: ScoreSums, classes: bool) -> str:
    then, now = (None if sums is None else error_of(sums, classes) for sums in (base, candidate))
    return f"{fog} {_shown(then)} → {_shown(now)}"


def _shown(value: float | None) -> str:
    return "no readings" if value is None else f"{value:.4g}"
