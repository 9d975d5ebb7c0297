"""What a fog node raises on purpose."""

from fogline.errors import FoglineError


class FogError(FoglineError):
    """The fog node can't start or go on; the message names the place and the remedy."""


class PlanDeclined(FoglineError):
    """The plan can't be answered; the message is the reason the cloud is given."""
