"""Version 0: the scaler from every fog's statistics, and seeded weights."""

import functools

from fogline.federation.settings import Federation
from fogline.ledger import models
from fogline.messages.seal import Seal
from fogline.model import GlobalModel, Lineage
from fogline.network import Network
from fogline.rounds.errors import RoundRefused
from fogline.scaling import Scaler
from fogline.steps.head import send_head
from fogline.steps.publish import Publication
from fogline.steps.services import Services, utc_now
from fogline.sums import Moments


def merged_moments(seal: Seal) -> dict[str, Moments]:
    """Merge the moments of all fogs, in the plan's order, by column."""
    columns = [*seal.plan.specification.features, seal.plan.specification.target.name]
    return {name: functools.reduce(Moments.merge, [a.statistics[name] for a in seal.answers]) for name in columns}


def first_model(seal: Seal) -> GlobalModel:
    """Make version 0 from the sealed statistics: a pure function of the seal.

    Raises
    ------
    RoundRefused
        A feature or the target has no value at any fog in the window.
    """
    specification = seal.plan.specification
    moments = merged_moments(seal)
    for name, column in moments.items():
        if column.n == 0:
            raise RoundRefused(f"no fog has a value of {name} in {seal.plan.window}; widen the window")
    network = Network(len(specification.features), specification.model)
    is_regression = specification.model.task == "regression"
    return GlobalModel(
        parameters=network.initial(specification.seed).astype("float32"),
        specification=specification,
        scaler=Scaler.of(
            {name: moments[name] for name in specification.features},
            moments[specification.target.name] if is_regression else None,
        ),
        lineage=Lineage(
            federation=specification.federation,
            branch=seal.plan.branch,
            plan_id=seal.plan.plan_id,
            base_digest=None,
            seal_digest=seal.digest(),
        ),
    )


def commit_first_model(services: Services, federation: Federation, dag_run_id: str, seal: Seal) -> Publication:
    """Commit version 0; with a head present, compare and publish nothing."""
    model = first_model(seal)
    name, branch = federation.federation, federation.branch
    with services.ledger.transaction() as session:
        chain = models.chain_of(session, name, branch)
    if chain:
        same = chain[0].digest == model.digest
        found = [] if same else [f"version 0 is {chain[0].digest[:12]}, this would be {model.digest[:12]}"]
        return Publication("reproduced" if same else "differs", chain[0], differences=found)
    services.store.write(model.path, model.to_bytes())
    with services.ledger.transaction() as session:
        new = models.NewModel(
            base_id=None,
            digest=model.digest,
            path=model.path,
            plan_id=seal.plan.plan_id,
            dag_run_id=dag_run_id,
            interval_index=None,
            n_examples=0,
        )
        row = models.commit_version(session, name, branch, new, 0, utc_now())
    send_head(services, federation)
    return Publication("committed", row)
