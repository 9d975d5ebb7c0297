"""The root of every error that Fogline raises on purpose; each layer derives its own from it."""


class FoglineError(Exception):
    """An error whose message names the place, the value and the remedy in one sentence."""
