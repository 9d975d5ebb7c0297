"""Two branches by interval."""

import datetime as dt

import numpy as np
import pytest

from fogline.chart import ChartError, chart_format, draw_comparison
from fogline.rounds.compare import Comparison, ScoredLink, compare, comparison_table
from fogline.sums import ScoreSums
from fogline.versions import Version

BRANCHES = ("main", "without_c")
STARTS = {index: dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + index * dt.timedelta(days=1) for index in range(9)}
NAMES = {index: f"{start:%Y-%m-%d}" for index, start in STARTS.items()}


def link(branch: str, number: int, index: int | None, trained_on: str | None = None, **errors: float) -> ScoredLink:
    scores = {fog: ScoreSums.of(np.full(2, error), np.ones(2)) for fog, error in errors.items()}
    return ScoredLink(Version(branch, number), index, f"f/{trained_on or branch}/{index}", scores)


MAIN = [
    link("main", 0, None),
    link("main", 1, 0, a=9.0, b=9.0, c=9.0),
    link("main", 2, 1, a=3.0, b=4.0, c=50.0),
    link("main", 3, 2, a=3.0, b=3.0, c=50.0),
]
BRANCH = [
    link("main", 0, None),
    link("without_c", 1, 0, "main", a=9.0, b=9.0, c=9.0),
    link("without_c", 2, 1, a=1.0, b=1.0),
    link("without_c", 3, 2, a=5.0, b=5.0),
]


def compared(first: list[ScoredLink], second: list[ScoredLink], classes: bool = False) -> Comparison:
    return compare(BRANCHES, first, second, classes=classes)


def errors(comparison: Comparison) -> list[tuple[int, float | None, float | None]]:
    return [(row.interval_index, *row.errors) for row in comparison.rows]


def test_rows_begin_with_the_fork_and_count_the_fogs_that_both_scored() -> None:
    comparison = compared(MAIN, BRANCH)
    assert comparison.fork == (Version("main", 1), Version("without_c", 1))
    assert errors(comparison) == [(0, 9.0, 9.0), (1, pytest.approx(12.5**0.5), 1.0), (2, 3.0, 5.0)]
    assert [row.fogs for row in comparison.rows] == [("a", "b")] * 3
    assert [row.difference for row in comparison.rows] == [0.0, pytest.approx(1 - 12.5**0.5), 2.0]
    assert [row.n for row in comparison.rows] == [(4, 4)] * 3
    assert comparison.scored_by_one == (("c",), ())


def test_an_interval_that_only_one_branch_has_is_scored_over_the_same_fogs() -> None:
    comparison = compared([*MAIN, link("main", 4, 3, a=2.0, b=2.0, c=50.0)], BRANCH)
    last = comparison.rows[-1]
    assert (last.interval_index, last.versions, last.errors) == (3, (Version("main", 4), None), (2.0, None))
    assert last.difference is None


def test_branches_that_begin_at_version_zero_have_no_row_before_their_own() -> None:
    comparison = compared(MAIN, [MAIN[0], link("without_c", 1, 0, a=5.0)])
    assert comparison.fork == (Version("main", 0), Version("main", 0))
    assert errors(comparison) == [(0, 9.0, 5.0), (1, 3.0, None), (2, 3.0, None)]


def test_after_a_promotion_the_promoted_rounds_are_no_difference() -> None:
    promoted = [*BRANCH[:3], link("main", 4, 2, "without_c", a=5.0, b=5.0)]
    assert compared(promoted, BRANCH).is_same
    further = [*promoted, link("main", 5, 3, a=4.0, b=4.0)]
    comparison = compared(further, BRANCH)
    assert comparison.fork == (Version("main", 4), Version("without_c", 3))
    assert errors(comparison) == [(2, 5.0, 5.0), (3, 4.0, None)]


def test_classes_are_compared_by_the_share_of_wrong_ones() -> None:
    first = [link("main", 0, None), link("main", 1, 0, a=1.0, b=0.0)]
    second = [link("main", 0, None), link("without_c", 1, 0, a=0.0, b=0.0)]
    assert errors(compared(first, second, classes=True)) == [(0, 0.5, 0.0)]
    assert "wrong classes" in comparison_table(compared(first, second, classes=True), NAMES, "kW")


def test_a_fog_without_held_out_readings_yet_leaves_nothing_to_judge() -> None:
    empty = ScoredLink(Version("main", 1), 0, "f/main/0", {"a": ScoreSums(n=0)})
    comparison = compared([MAIN[0], empty], [MAIN[0], link("without_c", 1, 0, a=1.0)])
    assert errors(comparison) == [(0, None, 1.0)]
    assert "0 / 2" in comparison_table(comparison, NAMES, "kW")


def test_the_table_says_versions_errors_and_who_was_not_counted() -> None:
    table = comparison_table(compared(MAIN, BRANCH), NAMES, "kW")
    assert "from main@1 = without_c@1 on" in table
    row = next(line for line in table.splitlines() if "2024-01-03" in line)
    assert row.split() == ["2", "2024-01-03", "main@3", "3", "without_c@3", "5", "2", "4", "2"]
    assert table.splitlines()[-1] == "Not counted, scored by main alone: c"
    assert "both have the same model" in comparison_table(compared(MAIN, MAIN), NAMES, "kW")


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_the_same_numbers_give_the_same_picture(suffix: str, begins: bytes) -> None:
    first, second = (draw_comparison(compared(MAIN, BRANCH), STARTS, "kW", suffix) for _ in range(2))
    assert first.startswith(begins) and first == second
    other = draw_comparison(compared(MAIN, BRANCH[:3]), STARTS, "kW", suffix)
    assert other != first


def test_the_picture_names_branches_and_unit() -> None:
    svg = draw_comparison(compared(MAIN, BRANCH), STARTS, "kW", ".svg").decode()
    assert all(text in svg for text in ("main", "without_c", "RMSE kW on held-out days", "start of the interval (UTC)"))


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ChartError, match=r"a.gif: can't be drawn in this format; end the name with .png or .svg"):
        chart_format("a.gif")
    with pytest.raises(ChartError, match="nothing to draw"):
        draw_comparison(compared(MAIN[:1], BRANCH[:1]), STARTS, "kW", ".png")
