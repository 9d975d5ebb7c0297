"""What OpenLineage is told of a round's tasks: topics by their broker, models by federation and branch.

Only OpenLineage's provider for Airflow asks, so nothing happens where it is not installed.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fogline.airflow.connections import kafka_configuration
from fogline.federation.settings import Federation

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors.base import OperatorLineage
    from openlineage.client.event_v2 import Dataset

# What a task can read or write beside a topic: the branch's global model, and a round's candidate.
MODEL, CANDIDATE = "", "/candidate"


def lineage_of(federation: Federation, reads: Iterable[str], writes: Iterable[str]) -> "OperatorLineage[Any, Any]":
    """Return a task's datasets.

    Parameters
    ----------
    reads, writes
        Topics, :data:`MODEL` or :data:`CANDIDATE`.
    """
    from airflow.providers.openlineage.extractors.base import OperatorLineage

    return OperatorLineage(
        inputs=[_dataset(federation, name) for name in reads], outputs=[_dataset(federation, name) for name in writes]
    )


def _dataset(federation: Federation, name: str) -> "Dataset":
    from openlineage.client.event_v2 import Dataset

    if name in (MODEL, CANDIDATE):
        return Dataset(namespace="fogline", name=f"{federation.federation}/{federation.branch}{name}")
    first_broker = kafka_configuration()["bootstrap.servers"].split(",")[0].strip()
    return Dataset(namespace=f"kafka://{first_broker}", name=name)
