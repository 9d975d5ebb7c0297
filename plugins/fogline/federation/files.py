"""Where federation files lie and what their names say: ``<federation>.yaml``, and ``<federation>.<branch>.yaml``."""

import os
import re
from pathlib import Path

from fogline.errors import FoglineError
from fogline.versions import MAIN

FOLDER_VARIABLE = "FOGLINE_FEDERATIONS"
OWN_FOLDER = Path(__file__).parents[3] / "dags" / "federations"
LONGEST_NAME = 60
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class FederationError(FoglineError):
    """A federation file that can't be used; the message has one line per fault."""


def federations_folder() -> Path:
    """Return the folder of the federation files: the environment's, or the one beside the DAG files."""
    return Path(os.environ.get(FOLDER_VARIABLE) or OWN_FOLDER)


def federation_file(name: str, branch: str = MAIN, folder: Path | None = None) -> Path:
    """Return where the file of a federation or one of its branches lies; ``folder`` defaults to the environment's."""
    stem = name if branch == MAIN else f"{name}.{branch}"
    return (folder or federations_folder()) / f"{stem}.yaml"


def names_in(path: Path) -> tuple[str, str]:
    """Return federation and branch, as a file's name gives them: the first dot separates the two.

    Raises
    ------
    FederationError
        The name gives no federation or no branch.
    """
    name, dot, branch = path.stem.partition(".")
    _require_name(path, "federation", name)
    if not dot:
        return name, MAIN
    _require_name(path, "branch", branch)
    if branch == MAIN:
        raise FederationError(f"{path.name}: {MAIN} is what {name}.yaml itself describes; give the branch another name")
    return name, branch


def _require_name(path: Path, what: str, name: str) -> None:
    # Two underscores separate the parts of a DAG's id.
    if not _NAME.fullmatch(name) or "__" in name or len(name) > LONGEST_NAME:
        raise FederationError(
            f"{path.name}: {name!r} is no name of a {what}: a letter, then letters, digits, - and single _, at most "
            f"{LONGEST_NAME}, and no dot, for a dot separates federation and branch; rename the file"
        )
