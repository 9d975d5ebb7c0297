"""Why a round does not go on."""

from fogline.errors import FoglineError


class RoundRefused(FoglineError):
    """Asked for something that can't be right now or ever; trying again without a change is no use."""


class RoundOver(RoundRefused):
    """The round ends here without a model: too few answers, or none of use. The next round can run."""


class RoundBusy(FoglineError):
    """Another run holds the branch; trying again later may do."""
