"""A branch's file: where the branch begins, which fogs it leaves out, and the few settings that it may change."""

import difflib
from dataclasses import dataclass
from typing import Any

from fogline.federation.files import FederationError
from fogline.federation.settings import Federation
from fogline.versions import VersionError, parse_version

OVERRIDES = frozenset(
    {
        "description",
        "owner",
        "schedule",
        "training",
        "strategy",
        "aggregation",
        "round",
        "promotion",
        "alerts",
        "window",
    }
)
OWN_KEYS = OVERRIDES | {"from", "exclude"}

_GRID = "the grid of intervals is the federation's, so that branches can be compared by interval"
_DAYS = "the held-out days are the federation's: what no branch may train on, all are judged on"
_WEIGHTS = "it decides what a weight means, and the branch goes on from weights that another branch trained"
_READINGS = "it is about the readings that a fog keeps, and a fog keeps them once for all branches"
_NAME = "the file's name and `from:` say it"
# Why a branch can't have a key of its own.
LASTING = {
    "start": _GRID,
    "interval": _GRID,
    "seed": _DAYS,
    "held_out_share": _DAYS,
    "fields": _READINGS,
    "lateness": _READINGS,
    "readings": _READINGS,
    "look_back": _WEIGHTS,
    "features": _WEIGHTS,
    "target": _WEIGHTS,
    "model": _WEIGHTS,
    "initialise": _WEIGHTS,
    "fogs": "a branch has the federation's fogs; leave some out with `exclude: [fog]`",
    "federation": _NAME,
    "branch": _NAME,
    "begins_at": _NAME,
}


@dataclass(frozen=True)
class BranchFile:
    """What a branch's file holds.

    Attributes
    ----------
    name
        The file's name, for messages.
    content
        The file as YAML gives it.
    """

    name: str
    branch: str
    content: dict[str, Any]

    def over(self, parent: Federation, parent_content: dict[str, Any]) -> dict[str, Any]:
        """Return the federation's content with the branch's laid over it, ready to be validated.

        Raises
        ------
        FederationError
            One line for each key that can't be here, or for what is wrong with `from` or `exclude`.
        """
        faults = [self._fault(key) for key in self.content if key not in OWN_KEYS]
        if faults:
            raise FederationError("\n".join(faults))
        begins_at, excluded = self._begins_at(), self._excluded(parent)
        # A live federation's branch is for backfills unless its own file says otherwise.
        inherited = {key: value for key, value in parent_content.items() if key != "schedule"}
        overrides = {key: value for key, value in self.content.items() if key in OVERRIDES}
        merged = merge(inherited, overrides)
        fogs = {fog: rules for fog, rules in parent_content["fogs"].items() if fog not in excluded}
        own = {"federation": parent.federation, "branch": self.branch, "begins_at": begins_at, "fogs": fogs}
        return {**merged, **own}

    def _fault(self, key: object) -> str:
        if key in LASTING:
            return f"{self.name}: {key}: a branch can't have its own, because {LASTING[str(key)]}; remove it"
        close = difflib.get_close_matches(str(key), OWN_KEYS, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"remove it; known here: {', '.join(sorted(OWN_KEYS))}"
        return f"{self.name}: {key}: is not a key of a branch's file; {remedy}"

    def _begins_at(self) -> str:
        if "from" not in self.content:
            raise FederationError(f"{self.name}: from: is missing; add where the branch begins, such as from: main@12")
        try:
            begins_at = parse_version(str(self.content["from"]))
        except VersionError as error:
            raise FederationError(f"{self.name}: from: {error}") from error
        if begins_at.branch == self.branch:
            raise FederationError(
                f"{self.name}: from: {begins_at} is of this branch itself; name a version of another, such as main@12"
            )
        return str(begins_at)

    def _excluded(self, parent: Federation) -> set[str]:
        excluded = self.content.get("exclude") or []
        if not isinstance(excluded, list):
            raise FederationError(f"{self.name}: exclude: is no list; write exclude: [{excluded}]")
        for fog in excluded:
            if not isinstance(fog, str) or fog not in parent.fogs:
                known = ", ".join(parent.fogs)
                raise FederationError(f"{self.name}: exclude: there is no fog {fog}; {parent.federation} has {known}")
        if set(excluded) == set(parent.fogs):
            raise FederationError(f"{self.name}: exclude: leaves no fog to train; leave at least one in")
        return set(excluded)


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another, mapping by mapping; None takes a key out, so that it has its default again."""
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            under = merged.get(key)
            merged[key] = merge(under if isinstance(under, dict) else {}, value)
        else:
            merged[key] = value
    return merged
