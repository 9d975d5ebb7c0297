"""Fill a history from the ledger: what it lacks is written, oldest first, so that the first time is a backfill."""

import datetime as dt
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fogline.history.base import History, conflict
from fogline.history.entry import HistoryEntry, Move
from fogline.versions import Version


@dataclass(frozen=True)
class CaughtUp:
    """How many versions and head moves were written."""

    n_versions: int
    n_moves: int


def catch_up(
    history: History, ledger: History, federation: str, told: Callable[[HistoryEntry], None] = lambda _: None
) -> CaughtUp:
    """Write what the ledger has of a federation and the history lacks.

    Interrupted anywhere, the next call goes on; of two at once each finds what the other has written.

    Parameters
    ----------
    told
        Is called with each version that was written.

    Raises
    ------
    HistoryConflict
        What the history holds is not the ledger's; nothing is written.
    HistoryDown
        The history does not answer.
    """
    history.prepare()
    branches = ledger.branches(federation)
    # Before the versions, so that none that a move points to is too new to be among them.
    moves = [move for branch in branches for move in _missing_moves(history, ledger, federation, branch)]
    versions = [_missing_versions(history, ledger, federation, branch) for branch in branches]
    # By time, and each branch in its own order, however the clocks went that the times are from.
    entries = heapq.merge(*(_entries(ledger, federation, of_branch) for of_branch in versions), key=_committed_at)
    n_versions = 0
    for entry in entries:
        if history.record_version(entry, ledger.weights(federation, entry.name)):
            n_versions += 1
            told(entry)
    return CaughtUp(n_versions, sum(history.record_move(move) for move in moves))


def _missing_versions(history: History, ledger: History, federation: str, branch: str) -> list[Version]:
    held = history.held(federation, branch)
    versions = ledger.held(federation, branch)
    for number, digest in held.items():
        given = versions.get(number, "not there")
        if given != digest:
            raise conflict(history.title, federation, str(Version(branch, number)), "digest", digest, given)
    return [Version(branch, number) for number in versions if number not in held]


def _missing_moves(history: History, ledger: History, federation: str, branch: str) -> list[Move]:
    held = {move.head_no: move for move in history.moves(federation, branch)}
    moves = ledger.moves(federation, branch)
    for move in moves:
        if move.head_no in held:
            history.require_same(move, held[move.head_no])
    return [move for move in moves if move.head_no not in held]


def _entries(ledger: History, federation: str, versions: list[Version]) -> Iterator[HistoryEntry]:
    return (ledger.entry(federation, version) for version in versions)


def _committed_at(entry: HistoryEntry) -> dt.datetime:
    return entry.committed_at
