"""What a step needs of the outside world."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from fogline.artifacts import ArtifactStore
from fogline.ledger.database import Ledger


@dataclass(frozen=True)
class Services:
    """The ledger, Kafka's client configuration and the model store."""

    ledger: Ledger
    kafka: Mapping[str, str]
    store: ArtifactStore


def utc_now() -> dt.datetime:
    """Return the present moment in UTC."""
    return dt.datetime.now(dt.UTC)
