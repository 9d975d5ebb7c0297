"""What a test of the steps works with."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fogline.artifacts import ArtifactStore
from fogline.federation import Federation
from fogline.kafka.topics import ensure_topics
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.ledger.verdicts import verdict_rows
from fogline.messages.plan import Plan
from fogline.rounds.tables import VerdictRow
from fogline.steps.services import Services
from tests.support.federations import small_federation
from tests.support.fogs import FogStandIn


@dataclass
class Cloud:
    """The cloud's services, a federation of the test's own, and its two fogs."""

    services: Services
    federation: Federation
    fog_a: FogStandIn
    fog_b: FogStandIn

    def rows(self, plan: Plan) -> list[VerdictRow]:
        """Return the rows of a plan's table."""
        with self.services.ledger.transaction() as session:
            return verdict_rows(session, plan.plan_id)


def new_cloud(kafka: str, folder: Path, changes: Mapping[str, Any]) -> Cloud:
    """Return a cloud with a ledger and a store in ``folder``, whose federation has a name that no other test uses."""
    ensure_topics(kafka)
    url = f"sqlite:///{folder}/ledger.db"
    upgrade(url)
    services = Services(Ledger(url), {"bootstrap.servers": kafka}, ArtifactStore(f"file://{folder}/models"))
    federation = small_federation(folder, name=f"small_{uuid.uuid4().hex[:8]}", **changes)
    return Cloud(services, federation, FogStandIn(kafka, "fog-a"), FogStandIn(kafka, "fog-b"))
