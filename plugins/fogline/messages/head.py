"""The head as subscribers see it on the compacted topic ``global-model``."""

from pydantic import Field

from fogline.messages.base import Message
from fogline.messages.weights import BlockedVector


class Head(Message):
    """A branch's current version; a reader ignores one whose ``head_no`` is lower than the one it has."""

    federation: str
    branch: str
    version: int = Field(ge=0)
    head_no: int = Field(ge=1)
    weights: BlockedVector
