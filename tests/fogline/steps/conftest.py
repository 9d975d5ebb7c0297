"""A federation of its own for each test, a ledger, a store and the real broker."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fogline.artifacts import ArtifactStore
from fogline.kafka.topics import ensure_topics
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.steps.services import Services
from tests.support.cloud import Cloud
from tests.support.federations import small_federation
from tests.support.fogs import FogStandIn


@pytest.fixture
def make_cloud(kafka: str, tmp_path: Path) -> Callable[..., Cloud]:
    ensure_topics(kafka)
    url = f"sqlite:///{tmp_path}/ledger.db"
    upgrade(url)
    services = Services(Ledger(url), {"bootstrap.servers": kafka}, ArtifactStore(f"file://{tmp_path}/models"))

    def make(**changes: Any) -> Cloud:
        name = f"small_{uuid.uuid4().hex[:8]}"
        federation = small_federation(tmp_path, name=name, **changes)
        return Cloud(services, federation, FogStandIn(kafka, "fog-a"), FogStandIn(kafka, "fog-b"))

    return make


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud()
