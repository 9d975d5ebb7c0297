"""Read federation files; every fault becomes one line that names the place and the remedy."""

import difflib
import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fogline.errors import FoglineError
from fogline.features import FeatureError, check_expressions
from fogline.federation.settings import Federation

FOLDER_VARIABLE = "FOGLINE_FEDERATIONS"
OWN_FOLDER = Path(__file__).parents[3] / "dags" / "federations"


class FederationError(FoglineError):
    """A federation file that can't be used; the message has one line per fault."""


def federations_folder() -> Path:
    """Return the folder of the federation files: the environment's, or the one beside the DAG files."""
    return Path(os.environ.get(FOLDER_VARIABLE) or OWN_FOLDER)


def federation_file(name: str) -> Path:
    """Return where a federation's file lies."""
    return federations_folder() / f"{name}.yaml"


def load_federation(path: Path) -> Federation:
    """Read and check one federation file; the federation is named by the file.

    Raises
    ------
    FederationError
        One line per fault: ``<file>: <place>: <what is wrong>; <remedy>``.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FederationError(f"{path.name}: can't be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise FederationError(f"{path.name}: holds no mapping; begin with `description:` and `start:`")
    if "federation" in raw:
        raise FederationError(f"{path.name}: federation: the file's name gives the name; remove the key")
    try:
        federation = Federation.model_validate({**raw, "federation": path.stem})
    except ValidationError as error:
        raise FederationError("\n".join(f"{path.name}: {_line(fault)}" for fault in error.errors())) from error
    try:
        check_expressions(federation.specification())
    except FeatureError as error:
        raise FederationError(f"{path.name}: {error}") from error
    return federation


def load_federations(folder: Path) -> tuple[list[Federation], dict[str, str]]:
    """Read all files of a folder; a broken one is told apart and never hides the others.

    Returns
    -------
    tuple
        The federations, and the error text of each broken file by its stem.
    """
    federations, faults = [], {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            federations.append(load_federation(path))
        except FederationError as error:
            faults[path.stem] = str(error)
    return federations, faults


def _line(fault: ErrorDetails) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the whole"
    if fault["type"] == "missing":
        return f"{place}: is missing; add it"
    if fault["type"] == "extra_forbidden":
        return f"{place}: is not a key known here; {_nearest(str(fault['loc'][-1]))}"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    shown = "" if isinstance(given, dict | list) else f" (it says {given!r})"
    remedy = "" if ";" in message else "; change it"
    return f"{place}: {message}{shown}{remedy}"


def _nearest(key: str) -> str:
    close = difflib.get_close_matches(key, _known_keys(Federation.model_json_schema()), n=1)
    return f"did you mean {close[0]}?" if close else "remove it"


def _known_keys(schema: dict[str, Any]) -> set[str]:
    parts = [schema, *schema.get("$defs", {}).values()]
    return {key for part in parts for key in part.get("properties", {})}
