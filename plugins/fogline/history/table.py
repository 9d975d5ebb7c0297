"""A history as people read it."""

import datetime as dt
from collections.abc import Iterable

from fogline.history.base import History
from fogline.history.chain import chain_of
from fogline.history.entry import HistoryEntry, Move
from fogline.history.errors import HistoryError
from fogline.rounds.tables import text_table

HEADINGS = ("version", "interval", "base", "examples", "RMSE", "digest", "committed, UTC", "chain")


def history_table(history: History, federation: str, branch: str) -> str:
    """Return a branch's versions as text, and below them the head moves that people made.

    Raises
    ------
    HistoryError
        The history holds nothing of the branch; names those of which it does.
    """
    versions, moves = history.versions(federation, branch), history.moves(federation, branch)
    if not versions:
        known = ", ".join(history.branches(federation)) or "none"
        raise HistoryError(
            f"{history.title} has no model of {branch} of {federation}; branches with models: {known}. The DAG "
            f"record_history__{federation} writes them"
        )
    on_chain = {entry.name for entry in chain_of(history, federation, branch)}
    head = moves[-1].version if moves else None
    rows = [
        _row(entry, "head" if entry.version == head else "" if entry.name in on_chain else "off it")
        for entry in versions
    ]
    title = f"History of {branch} of {federation}, from {history.title}"
    return "\n".join([text_table(title, HEADINGS, rows), *_by_people(moves)])


def _row(entry: HistoryEntry, place: str) -> tuple[object, ...]:
    start, end = entry.interval_start, entry.interval_end
    return (
        str(entry.name),
        f"{_moment(start)}/{_moment(end)}" if start and end else None,
        (entry.copy_of and f"is {entry.copy_of}") or entry.base,
        entry.n_examples,
        entry.rmse,
        entry.digest[:10],
        f"{entry.committed_at:%Y-%m-%d %H:%M}",
        place,
    )


def _by_people(moves: Iterable[Move]) -> list[str]:
    return [
        f"Head move {move.head_no}: {move.reason}, to {move.branch}@{move.version} by {move.moved_by}, "
        f"{move.moved_at:%Y-%m-%d %H:%M:%S}"
        for move in moves
        if move.reason != "committed"
    ]


def _moment(moment: dt.datetime) -> str:
    is_midnight = moment.timetz().replace(tzinfo=None) == dt.time(0)
    return f"{moment:%Y-%m-%d}" if is_midnight else f"{moment:%Y-%m-%d %H:%M}"
