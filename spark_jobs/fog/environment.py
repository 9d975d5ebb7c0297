"""What a fog node is told from outside: the brokers, its data folder, its federation's file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fogline.federation import Federation, federation_file, load_federation
from fogline.kafka.clients import ClientConfig, config_from_environment, edge_config_from_environment
from fogline.versions import MAIN
from spark_jobs.fog.errors import FogError

DATA_VARIABLE = "FOGLINE_FOG_DATA"


@dataclass(frozen=True)
class Environment:
    """Clients' settings of the cloud's broker and the edge's, and the folder of the fogs' data."""

    cloud: ClientConfig
    edge: ClientConfig
    data: Path

    @classmethod
    def read(cls) -> "Environment":
        """Read the environment variables.

        Raises
        ------
        FoglineError
            A variable is not set.
        """
        cloud = config_from_environment()
        edge = edge_config_from_environment()
        return cls(cloud, edge, data_folder())


def data_folder() -> Path:
    """Return the folder of the fogs' data.

    Raises
    ------
    FogError
        It is not set.
    """
    data = os.environ.get(DATA_VARIABLE)
    if not data:
        raise FogError(f"{DATA_VARIABLE} is not set; give it a folder that this fog's readings may fill")
    return Path(data).absolute()


def load_fogs(folder: Path, name: str, fogs: Sequence[str]) -> Federation:
    """Load a federation's file and check that the fogs are in it.

    Raises
    ------
    FoglineError
        There is no such file, it has a fault, or a fog is not in it.
    """
    path = federation_file(name, folder=folder)
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml") if "." not in found.stem)) or "none"
        raise FogError(f"--federation {name}: there is no {path}; there: {known}")
    federation = load_federation(path)
    if federation.branch != MAIN:
        raise FogError(
            f"--federation {name}: {path.name} is a branch, and a fog serves all branches; "
            f"write --federation {federation.federation}"
        )
    for fog in fogs:
        if fog not in federation.fogs:
            raise FogError(f"--fog {fog}: {path.name} has no such fog; it has {', '.join(federation.fogs)}")
    return federation
