"""Each global model is an event of its branch's asset, so that other DAGs can be scheduled on new models."""

from typing import Any

from airflow.sdk import Asset, AssetAlias

from fogline.ledger.schema import ModelRow


def model_asset(federation: str, branch: str) -> Asset:
    """Return the asset that stands for a branch's global model."""
    return Asset(name=f"{federation}/{branch}", uri=f"fogline://{federation}/{branch}")


def models_of(federation: str) -> AssetAlias:
    """Return the alias that the tasks which move heads have as their outlet.

    An asset as outlet would have an event each time that the task succeeds, also when a round is only reproduced; an
    alias has the events that the task gives it.
    """
    return AssetAlias(name=f"models of {federation}")


def tell_of_model(context: Any, row: ModelRow, reason: str) -> None:
    """Add the event of a model that has become its branch's head.

    A publisher that was killed after its commit tells again, so a consumer goes by version and digest.

    Parameters
    ----------
    reason
        ``committed``, ``promoted`` or ``rolled back``, as the ledger's head move says.
    """
    event = {
        "model": row.name,
        "version": row.version,
        "digest": row.digest,
        "path": row.path,
        "interval": row.interval_index,
        "plan_id": row.plan_id,
        "reason": reason,
    }
    context["outlet_events"][models_of(row.federation)].add(model_asset(row.federation, row.branch), extra=event)
