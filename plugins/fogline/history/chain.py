"""The ancestry of a branch's head, read from any history."""

from fogline.history.base import History
from fogline.history.entry import HistoryEntry
from fogline.versions import Version, parse_version


def chain_of(history: History, federation: str, branch: str) -> list[HistoryEntry]:
    """Return the head's ancestry, from version 0 to the head, across the branches that it passes.

    Raises
    ------
    HistoryError
        A version on the way is not held.
    """
    moves = history.moves(federation, branch)
    if not moves:
        return []
    read: dict[str, dict[int, HistoryEntry]] = {}
    chain: list[HistoryEntry] = []
    at: Version | None = Version(branch, moves[-1].version)
    while at is not None:
        if at.branch not in read:
            read[at.branch] = {one.version: one for one in history.versions(federation, at.branch)}
        found = read[at.branch].get(at.number) or history.entry(federation, at)
        chain.append(found)
        at = parse_version(found.base) if found.base else None
    return chain[::-1]
