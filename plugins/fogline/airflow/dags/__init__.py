"""The DAGs of all federations: one module a kind, and the table that makes them from the federation files."""

from collections.abc import Callable, Mapping

from airflow.sdk import DAG, get_parsing_context

from fogline.airflow.dags import (
    compare_branches,
    evaluate_model,
    federated_round,
    federation_faults,
    initialise_federation,
    new_branch,
    promote_branch,
    record_history,
    roll_back,
)
from fogline.airflow.dags.sources import FederationSource, read_source, read_sources
from fogline.dag_ids import ROUND
from fogline.versions import MAIN

Build = Callable[[FederationSource], DAG]
# Only rounds have a DAG for each branch; the others are one for a federation.
OF_A_BRANCH: tuple[Build, ...] = (federated_round.build,)
OF_A_FEDERATION: tuple[Build, ...] = (
    compare_branches.build,
    evaluate_model.build,
    initialise_federation.build,
    new_branch.build,
    promote_branch.build,
    record_history.build,
    roll_back.build,
)


def federation_dags() -> Mapping[str, DAG]:
    """Return the DAGs that the file which asks for them must have, by id.

    A task of a round needs its own DAG alone, so only that branch's file is read for it; see Airflow's "Optimizing DAG
    parsing delays during execution".

    Raises
    ------
    FederationError
        The file of the round that a task belongs to can't be used. Elsewhere a broken file is a DAG that says why.
    """
    kind, _, name = (get_parsing_context().dag_id or "").partition("__")
    dags = [federated_round.build(read_source(*name.split("__")))] if kind == ROUND else _all_dags()
    return {dag.dag_id: dag for dag in dags}


def _all_dags() -> list[DAG]:
    sources, faults = read_sources()
    federations = [source for source in sources if source.federation.branch == MAIN]
    return [
        *(build(source) for build in OF_A_BRANCH for source in sources),
        *(build(source) for build in OF_A_FEDERATION for source in federations),
        *(federation_faults.build(name, fault) for name, fault in faults.items()),
    ]
