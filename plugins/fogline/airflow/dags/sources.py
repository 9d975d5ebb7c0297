"""Federation files that DAGs are made from."""

from dataclasses import dataclass

from fogline.federation import Federation, federation_file, federations_folder, load_federation, load_federations
from fogline.versions import MAIN


@dataclass(frozen=True)
class FederationSource:
    """A sound file of a federation or of one of its branches.

    Attributes
    ----------
    file
        Its path.
    branches
        Names of the federation's branches whose files are sound, ``main`` among them.
    """

    federation: Federation
    file: str
    branches: tuple[str, ...]


def read_sources(*, check_sql: bool = True) -> tuple[list[FederationSource], dict[str, str]]:
    """Read all files of the folder; ``check_sql`` as for `load_federation`.

    Returns
    -------
    tuple
        The sound ones, and the error text of each broken one by its stem.
    """
    federations, faults = load_federations(federations_folder(), check_sql=check_sql)
    branches: dict[str, list[str]] = {}
    for one in federations:
        branches.setdefault(one.federation, []).append(one.branch)
    sources = [
        FederationSource(one, str(federation_file(one.federation, one.branch)), tuple(branches[one.federation]))
        for one in federations
    ]
    return sources, faults


def read_source(federation: str, branch: str = MAIN) -> FederationSource:
    """Read one file for a task; of the federation's branches only its own is known then.

    Raises
    ------
    FederationError
        It can't be used.
    """
    path = federation_file(federation, branch)
    return FederationSource(load_federation(path, check_sql=False), str(path), (branch,))
