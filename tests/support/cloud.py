"""What a test of the steps works with."""

from dataclasses import dataclass

from fogline.federation import Federation
from fogline.steps.services import Services
from tests.support.fogs import FogStandIn


@dataclass
class Cloud:
    """The cloud's services, a federation of the test's own, and its two fogs."""

    services: Services
    federation: Federation
    fog_a: FogStandIn
    fog_b: FogStandIn
