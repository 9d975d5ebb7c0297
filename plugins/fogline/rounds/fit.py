"""Whether a branch's file still describes the models that its chain is made of."""

from fogline.federation.settings import Specification
from fogline.rounds.errors import RoundRefused

# What every model of a chain has in common: the grid, the days never trained on, and what a weight belongs to.
LASTING = ("start", "interval", "seed", "held_out_share", "features", "target", "model")


def require_fit(base: Specification, now: Specification, base_name: str) -> None:
    """Check that a round may go on from a base.

    Raises
    ------
    RoundRefused
        A setting that must last was changed; names the first one, with both values.
    """
    for name in LASTING:
        then, wanted = getattr(base, name), getattr(now, name)
        if then != wanted:
            raise RoundRefused(
                f"{name} is {wanted} in the federation's file, {base_name} was made with {then}; put it back, or begin "
                "a new federation under another name"
            )
