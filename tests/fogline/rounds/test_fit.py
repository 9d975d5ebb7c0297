import datetime as dt
from pathlib import Path

import pytest

from fogline.rounds.errors import RoundRefused
from fogline.rounds.fit import require_fit
from tests.support.federations import small_federation


def test_what_may_change_between_rounds_fits(tmp_path: Path) -> None:
    before = small_federation(tmp_path).specification()
    after = small_federation(tmp_path, training={"epochs": 9, "batch_size": 1, "learning_rate": 0.5}, window="P9D")
    require_fit(before, after, "main@3")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": 7}, "seed is 7 in the federation's file, main@3 was made with 0; put it back"),
        ({"features": {"x2": "x * x"}}, "features is {'x2': 'x \\* x'}"),
        ({"start": "2024-01-02T00:00:00Z"}, "start is 2024-01-02"),
        ({"held_out_share": 0.5}, "held_out_share is 0.5"),
    ],
)
def test_what_must_last_is_refused_with_both_values(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    before = small_federation(tmp_path).specification()
    with pytest.raises(RoundRefused, match=says):
        require_fit(before, small_federation(tmp_path, **changes), "main@3")


def test_the_zone_in_which_the_start_is_written_does_not_matter(tmp_path: Path) -> None:
    before = small_federation(tmp_path).specification()
    after = small_federation(tmp_path, start="2024-01-01T01:00:00+01:00")
    assert after.start == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    require_fit(before, after, "main@3")
