"""What the stack raises."""

from fogline.errors import FoglineError


class StackError(FoglineError):
    """The local stack can't do what was asked; the message names the part, the cause and the remedy."""
