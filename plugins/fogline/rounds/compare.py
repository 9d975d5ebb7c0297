"""Two branches by interval: where their versions differ, and how much better one is than the other."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fogline.rounds.gate import error_of
from fogline.rounds.tables import text_table
from fogline.sums import ScoreSums
from fogline.versions import Version


@dataclass(frozen=True)
class ScoredLink:
    """A version on a branch's ancestry, with its scores on the held-out days up to its interval's end.

    Attributes
    ----------
    plan_id
        The plan that trained it: two versions with one plan are one model.
    scores
        By fog.
    """

    version: Version
    interval_index: int | None
    plan_id: str
    scores: Mapping[str, ScoreSums]


@dataclass(frozen=True)
class ComparedInterval:
    """Both branches' versions for one interval; None where a branch has none.

    Attributes
    ----------
    fogs
        The fogs that both scored, over which the errors are summed.
    errors
        RMSE, or the share of wrong classes; None where there is nothing to judge.
    """

    interval_index: int
    versions: tuple[Version | None, Version | None]
    fogs: tuple[str, ...]
    n: tuple[int, int]
    errors: tuple[float | None, float | None]

    @property
    def difference(self) -> float | None:
        """The second branch's error less the first's."""
        first, second = self.errors
        return None if first is None or second is None else second - first


@dataclass(frozen=True)
class Comparison:
    """Two branches, from their last common version on.

    Attributes
    ----------
    is_same
        Whether both have one and the same model at their heads.
    fork
        Both branches' versions where they part; None when they have nothing in common.
    rows
        Beginning with the fork, if that has an interval.
    scored_by_one
        For each branch the fogs that it alone scored; they don't count.
    """

    branches: tuple[str, str]
    is_classes: bool
    is_same: bool
    fork: tuple[Version, Version] | None
    rows: tuple[ComparedInterval, ...]
    scored_by_one: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def is_scored(self) -> bool:
        """Whether there is any error to show or draw."""
        return any(error is not None for row in self.rows for error in row.errors)


def compare(
    branches: tuple[str, str], first: Sequence[ScoredLink], second: Sequence[ScoredLink], *, classes: bool
) -> Comparison:
    """Set two branches beside each other, interval by interval.

    Parameters
    ----------
    first, second
        The ancestry of each head, from version 0 on.
    classes
        The error is the share of wrong classes instead of the RMSE.
    """
    n_common = _n_common(first, second)
    left, right = _by_interval(first[n_common:]), _by_interval(second[n_common:])
    both = {index: _scored_by_both(left[index], right[index]) for index in left if index in right}
    # Where only one branch has a version, its line must go on over the same fogs.
    always = {fog for fogs in both.values() for fog in fogs if all(fog in other for other in both.values())}
    rows = []
    fork = (first[n_common - 1], second[n_common - 1]) if n_common else None
    if fork and fork[0].interval_index is not None:
        rows.append(_row(fork[0].interval_index, fork, _among(fork[0], always), classes))
    for index in sorted({*left, *right}):
        pair = (left.get(index), right.get(index))
        lone = pair[0] or pair[1]
        assert lone is not None
        rows.append(_row(index, pair, both[index] if index in both else _among(lone, always), classes))
    return Comparison(
        branches=branches,
        is_classes=classes,
        is_same=n_common == len(first) == len(second),
        fork=(fork[0].version, fork[1].version) if fork else None,
        rows=tuple(rows),
        scored_by_one=(_alone(left, right), _alone(right, left)),
    )


def comparison_table(comparison: Comparison, interval_starts: Mapping[int, str], unit: str) -> str:
    """Return the comparison as text.

    Parameters
    ----------
    interval_starts
        What to call each interval, by its number.
    """
    one, other = comparison.branches
    what = error_name(comparison, unit)
    headings = ("interval", "from", one, what, other, what, "difference", "rows", "fogs")
    body = [
        (
            row.interval_index,
            interval_starts[row.interval_index],
            *(value for n in (0, 1) for value in (str(row.versions[n] or "-"), row.errors[n])),
            row.difference,
            _n_shown(row),
            len(row.fogs),
        )
        for row in comparison.rows
    ]
    return "\n".join([text_table(_title(comparison), headings, body), *_notes(comparison)])


def error_name(comparison: Comparison, unit: str) -> str:
    """Return what the errors are, with the unit."""
    return "wrong classes" if comparison.is_classes else f"RMSE {unit}".strip()


def _title(comparison: Comparison) -> str:
    one, other = comparison.branches
    if comparison.fork is None:
        return f"{one} and {other} have no version in common"
    begin = " = ".join(dict.fromkeys(map(str, comparison.fork)))
    return f"{one} and {other} on held-out days, from {begin} on"


def _notes(comparison: Comparison) -> list[str]:
    if comparison.is_same:
        return ["No interval differs: both have the same model"]
    alone = zip(comparison.branches, comparison.scored_by_one, strict=True)
    return [f"Not counted, scored by {branch} alone: {', '.join(fogs)}" for branch, fogs in alone if fogs]


def _n_shown(row: ComparedInterval) -> str:
    counted = {n for n, version in zip(row.n, row.versions, strict=True) if version}
    return " / ".join(map(str, counted if len(counted) == 1 else row.n))


def _n_common(first: Sequence[ScoredLink], second: Sequence[ScoredLink]) -> int:
    pairs = zip(first, second, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a.plan_id != b.plan_id), min(len(first), len(second)))


def _by_interval(links: Iterable[ScoredLink]) -> dict[int, ScoredLink]:
    return {link.interval_index: link for link in links if link.interval_index is not None}


def _scored_by_both(one: ScoredLink, other: ScoredLink) -> tuple[str, ...]:
    return tuple(fog for fog in one.scores if fog in other.scores)


def _among(link: ScoredLink, fogs: Collection[str]) -> tuple[str, ...]:
    return tuple(fog for fog in link.scores if not fogs or fog in fogs)


def _alone(own: Mapping[int, ScoredLink], other: Mapping[int, ScoredLink]) -> tuple[str, ...]:
    pairs = ((own[index].scores, other[index].scores) for index in own if index in other)
    return tuple(sorted({fog for mine, theirs in pairs for fog in mine if fog not in theirs}))


def _row(
    index: int, pair: tuple[ScoredLink | None, ScoredLink | None], fogs: tuple[str, ...], classes: bool
) -> ComparedInterval:
    first, second = (
        ScoreSums.total(link.scores[fog] for fog in fogs if fog in link.scores) if link else ScoreSums(n=0)
        for link in pair
    )
    return ComparedInterval(
        interval_index=index,
        versions=(pair[0].version if pair[0] else None, pair[1].version if pair[1] else None),
        fogs=fogs,
        n=(first.n, second.n),
        errors=(error_of(first, classes), error_of(second, classes)),
    )
