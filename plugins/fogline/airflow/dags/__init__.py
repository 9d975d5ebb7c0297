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
from fogline.dag_ids import (
    COMPARE_BRANCHES,
    EVALUATE,
    INITIALISE,
    NEW_BRANCH,
    PROMOTE_BRANCH,
    RECORD_HISTORY,
    ROLL_BACK,
    ROUND,
)
from fogline.versions import MAIN

Build = Callable[[FederationSource], DAG]
# One for each federation; rounds have one for each of its branches.
OF_A_FEDERATION: Mapping[str, Build] = {
    COMPARE_BRANCHES: compare_branches.build,
    EVALUATE: evaluate_model.build,
    INITIALISE: initialise_federation.build,
    NEW_BRANCH: new_branch.build,
    PROMOTE_BRANCH: promote_branch.build,
    RECORD_HISTORY: record_history.build,
    ROLL_BACK: roll_back.build,
}


def federation_dags() -> Mapping[str, DAG]:
    """Return the DAGs that the file which asks for them must have, by id.

    A task needs its own DAG alone, and what that is made of was checked when Airflow parsed it; see "Optimizing DAG
    parsing delays during execution" in Airflow's documentation.

    Raises
    ------
    FederationError
        The file of the round that a task belongs to can't be used. Elsewhere a broken file is a DAG that says why.
    """
    kind, _, name = (get_parsing_context().dag_id or "").partition("__")
    if kind == ROUND:
        dags = [federated_round.build(read_source(*name.split("__")))]
    elif kind in OF_A_FEDERATION:
        sources, _ = read_sources(check_sql=False)
        dags = [OF_A_FEDERATION[kind](source) for source in _whole(sources) if source.federation.federation == name]
    else:
        dags = _all_dags()
    return {dag.dag_id: dag for dag in dags}


def _all_dags() -> list[DAG]:
    sources, faults = read_sources()
    return [
        *(federated_round.build(source) for source in sources),
        *(build(source) for build in OF_A_FEDERATION.values() for source in _whole(sources)),
        *(federation_faults.build(name, fault) for name, fault in faults.items()),
    ]


def _whole(sources: list[FederationSource]) -> list[FederationSource]:
    return [source for source in sources if source.federation.branch == MAIN]
