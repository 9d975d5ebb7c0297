"""Set two branches beside each other: from the ledger, as a table and as a picture."""

import datetime as dt

from fogline.chart import draw_comparison
from fogline.federation.settings import Federation
from fogline.ledger.history import branches_of, scored_chain
from fogline.rounds.compare import Comparison, compare, comparison_table
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import interval_at
from fogline.steps.services import Services


def compare_branches(services: Services, federation: Federation, first: str, second: str) -> Comparison:
    """Compare two branches' versions by interval.

    Raises
    ------
    RoundRefused
        Both are the same branch, or one has no model yet.
    """
    name = federation.federation
    if first == second:
        raise RoundRefused(f"{first} is compared with itself; name two branches")
    with services.ledger.transaction() as session:
        known = branches_of(session, name)
        for branch in (first, second):
            if branch not in known:
                raise RoundRefused(
                    f"{name} has no branch {branch} with a model; there are: {', '.join(known) or 'none yet'}; "
                    "a branch has one from its first round on"
                )
        chains = [scored_chain(session, name, branch) for branch in (first, second)]
    return compare((first, second), *chains, classes=federation.model.task == "classification")


def table_of(federation: Federation, comparison: Comparison) -> str:
    """Return the comparison as text."""
    starts = {index: f"{start:%Y-%m-%d %H:%M}" for index, start in _starts(federation, comparison).items()}
    if all(start.endswith(" 00:00") for start in starts.values()):
        starts = {index: start.removesuffix(" 00:00") for index, start in starts.items()}
    return comparison_table(comparison, starts, federation.target.unit)


def picture_of(federation: Federation, comparison: Comparison, suffix: str) -> bytes:
    """Return the comparison as a picture; ``suffix`` is its format, such as ``.png``."""
    return draw_comparison(comparison, _starts(federation, comparison), federation.target.unit, suffix)


def keep_picture(services: Services, federation: Federation, comparison: Comparison) -> str:
    """Draw the comparison into the model store and return its path there, which names both heads."""
    newest = [[str(row.versions[n]) for row in comparison.rows if row.versions[n]] for n in (0, 1)]
    heads = [names[-1] if names else branch for names, branch in zip(newest, comparison.branches, strict=True)]
    path = f"comparisons/{federation.federation}/{'--'.join(heads)}.png"
    services.store.write(path, picture_of(federation, comparison, ".png"))
    return path


def _starts(federation: Federation, comparison: Comparison) -> dict[int, dt.datetime]:
    return {row.interval_index: interval_at(federation, row.interval_index).start for row in comparison.rows}
