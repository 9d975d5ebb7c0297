"""The cloud's own mark on ``model-updates``: its append time tells what the broker's clock says by now."""

from typing import Literal

from fogline.messages.base import Message

CLOSE_KEY = "close"


class Close(Message):
    """Appended by a collector that asks whether a plan is over; it decides nothing but the time."""

    kind: Literal["close"] = "close"
    plan_id: str
