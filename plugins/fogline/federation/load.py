"""Read federation files; every fault becomes one line that names the place and the remedy."""

import difflib
import functools
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fogline.features import FeatureError, check_expressions
from fogline.federation.branch_file import BranchFile
from fogline.federation.files import FederationError, federation_file, names_in
from fogline.federation.settings import Federation
from fogline.versions import MAIN

# The loader's own: the file's name gives them.
_FROM_THE_NAME = ("federation", "branch", "begins_at")


def load_federation(path: Path, *, check_sql: bool = True) -> Federation:
    """Read and check the file of a federation or of a branch; both are named by the file.

    Parameters
    ----------
    check_sql
        Also try its expressions, which takes an engine several times as long as all else. Who only goes on with what
        was checked before needs not.

    Raises
    ------
    FederationError
        One line per fault: ``<file>: <place>: <what is wrong>; <remedy>``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        known = ", ".join(sorted(one.name for one in path.parent.glob("*.yaml"))) or "none"
        raise FederationError(f"{path.name}: there is no such file in {path.parent}; there: {known}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FederationError(f"{path.name}: can't be read: {error}; mend the file or its rights") from error
    return parse_federation(path, text, check_sql=check_sql)


def parse_federation(path: Path, text: str, *, check_sql: bool = True) -> Federation:
    """Check a text as if it were the file at ``path``; see `load_federation`."""
    name, branch = names_in(path)
    if branch == MAIN:
        return _federation(path, text, check_sql)[0]
    content = _content(path, text)
    # Its expressions are the parent's, which were checked there.
    return _validated(path, BranchFile(path.name, branch, content).over(*_parent(path, name, check_sql)))


def load_federations(folder: Path, *, check_sql: bool = True) -> tuple[list[Federation], dict[str, str]]:
    """Read all files of a folder; a broken one is told apart and never hides the others.

    Parameters
    ----------
    check_sql
        As for `load_federation`.

    Returns
    -------
    tuple
        The federations and their branches, and the error text of each broken file by its stem.
    """
    federations, faults = [], {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            federations.append(load_federation(path, check_sql=check_sql))
        except FederationError as error:
            faults[path.stem] = str(error)
    return federations, faults


# Every branch needs its federation's file again.
@functools.lru_cache(maxsize=16)
def _federation(path: Path, text: str, check_sql: bool) -> tuple[Federation, dict[str, Any]]:
    content = _content(path, text)
    for key in _FROM_THE_NAME:
        if key in content:
            raise FederationError(f"{path.name}: {key}: the file's name gives it; remove the key")
    federation = _validated(path, {**content, "federation": path.stem})
    if check_sql:
        try:
            check_expressions(federation.specification())
        except FeatureError as error:
            raise FederationError(f"{path.name}: {error}") from error
    return federation, content


def _parent(path: Path, name: str, check_sql: bool) -> tuple[Federation, dict[str, Any]]:
    parent = federation_file(name, folder=path.parent)
    if not parent.is_file():
        raise FederationError(
            f"{path.name}: there is no {parent.name} beside it, whose branch it would be; write it or rename this"
        )
    try:
        return _federation(parent, parent.read_text(encoding="utf-8"), check_sql)
    except (FederationError, OSError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise FederationError(f"{path.name}: its federation's file must be mended first: {first}") from error


def _content(path: Path, text: str) -> dict[str, Any]:
    try:
        # The C loader, at a tenth of the price: each task of a round pays it.
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise FederationError(f"{path.name}: can't be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        begin = "`description:` and `start:`" if "." not in path.stem else "`from:`"
        raise FederationError(f"{path.name}: holds no mapping; begin with {begin}")
    return content


def _validated(path: Path, content: dict[str, Any]) -> Federation:
    try:
        return Federation.model_validate(content)
    except ValidationError as error:
        raise FederationError("\n".join(f"{path.name}: {_line(fault)}" for fault in error.errors())) from error


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
