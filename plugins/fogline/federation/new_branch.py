"""Write a new branch's file: whole, sound, and never over one that is there."""

import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fogline.federation.files import FederationError, federation_file
from fogline.federation.load import parse_federation
from fogline.federation.settings import Federation

_ASKED_APART = ("description", "from", "exclude")


@dataclass(frozen=True)
class NewBranch:
    """What a person asks for.

    Attributes
    ----------
    begins_at
        The version that the branch starts from, such as ``main@12``.
    exclude
        The fogs that it leaves out.
    settings
        What else differs, as ``key=value`` with dots between nested keys: ``training.learning_rate=0.02``.
    """

    federation: str
    name: str
    begins_at: str
    exclude: Sequence[str] = ()
    settings: Sequence[str] = ()
    description: str | None = None

    def content(self) -> dict[str, Any]:
        """Return the file's content.

        Raises
        ------
        FederationError
            A setting is not written as ``key=value``.
        """
        without = f" without {', '.join(self.exclude)}" if self.exclude else ""
        changed = f" with {', '.join(self.settings)}" if self.settings else ""
        said = self.description or f"{self.federation} from {self.begins_at}{without}{changed}"
        content: dict[str, Any] = {"description": said, "from": self.begins_at}
        if self.exclude:
            content["exclude"] = list(self.exclude)
        return {**content, **_nested(self.settings)}


def check_new_branch(folder: Path, new: NewBranch) -> Federation:
    """Return the branch as its file would describe it.

    Raises
    ------
    FederationError
        The file is there already, or what is asked for would be no sound branch; see `load_federation`.
    """
    path = federation_file(new.federation, new.name, folder)
    if path.exists():
        raise FederationError(f"{path.name}: is there already; edit that file, or give the new branch another name")
    return parse_federation(path, _text(new))


def write_branch(folder: Path, new: NewBranch) -> Path:
    """Write the branch's file if it would be sound, under its name at once or not at all.

    Raises
    ------
    FederationError
        See `check_new_branch`; or the folder can't be written.
    """
    check_new_branch(folder, new)
    path = federation_file(new.federation, new.name, folder)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        temporary.write_text(_text(new), encoding="utf-8")
        # Unlike a rename, a link never replaces a file that another person wrote at this moment.
        os.link(temporary, path)
    except FileExistsError as error:
        raise FederationError(f"{path.name}: was written by someone else at this moment; look at that file") from error
    except OSError as error:
        raise FederationError(
            f"{path}: can't be written: {error.strerror}; let this user write to the folder, or write the file there "
            f"yourself: {_text(new)!r}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _text(new: NewBranch) -> str:
    return yaml.safe_dump(new.content(), sort_keys=False, allow_unicode=True, width=120)


def _nested(settings: Iterable[str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        *outer, last = key.strip().split(".")
        if not equals or not last or not all(outer):
            raise FederationError(f"{setting!r} is no setting; write key=value, such as training.learning_rate=0.02")
        if [*outer, last][0] in _ASKED_APART:
            raise FederationError(f"{setting!r}: {key} is asked for apart from the settings; give it there")
        inner = nested
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise FederationError(f"{setting!r}: {part} has a value already; keep one of the two")
        inner[last] = _value(setting, value)
    return nested


def _value(setting: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise FederationError(f"{setting!r}: {' '.join(str(error).split())}; write the value as YAML") from error
