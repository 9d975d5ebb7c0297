"""Versions as people write them: ``main@12``, a branch and a number."""

import re
from typing import NamedTuple

from fogline.errors import FoglineError

MAIN = "main"

_WRITTEN = re.compile(r"(?:(?P<branch>[A-Za-z][A-Za-z0-9_-]*)@)?(?P<number>\d{1,9})")


class VersionError(FoglineError):
    """A text that names no version."""


class Version(NamedTuple):
    """A branch's version."""

    branch: str
    number: int

    def __str__(self) -> str:
        return f"{self.branch}@{self.number}"


def parse_version(text: str, default_branch: str | None = None) -> Version:
    """Read a version; a bare number belongs to ``default_branch``.

    Raises
    ------
    VersionError
        The text is no version.
    """
    found = _WRITTEN.fullmatch(text.strip())
    branch = found and (found["branch"] or default_branch)
    if not found or not branch:
        raise VersionError(f"{text!r} is no version; write branch@number, for example main@12")
    return Version(branch, int(found["number"]))
