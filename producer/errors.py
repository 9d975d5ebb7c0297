"""What the producer raises."""

from fogline.errors import FoglineError


class ProducerError(FoglineError):
    """The producer can't read its source, or can't publish; the message names the place, the cause and the remedy."""
