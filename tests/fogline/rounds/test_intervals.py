import datetime as dt
from pathlib import Path

import pytest

from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import interval_at, interval_beginning, newest_complete_index, training_window
from tests.support.federations import small_federation


def test_intervals_are_anchored_at_the_start(tmp_path: Path) -> None:
    federation = small_federation(tmp_path, start="2024-01-01T06:00:00Z")
    interval = interval_at(federation, 2)
    assert interval.start == dt.datetime(2024, 1, 3, 6, tzinfo=dt.UTC)
    assert interval_beginning(federation, interval.start) == interval


@pytest.mark.parametrize(
    ("start", "says"),
    [("2023-12-31T00:00+00:00", "before the federation's start"), ("2024-01-02T01:00+00:00", "nearest interval is")],
)
def test_a_start_off_the_grid_is_refused_with_the_nearest_one(tmp_path: Path, start: str, says: str) -> None:
    with pytest.raises(RoundRefused, match=says):
        interval_beginning(small_federation(tmp_path), dt.datetime.fromisoformat(start))


def test_only_whole_intervals_are_complete(tmp_path: Path) -> None:
    federation = small_federation(tmp_path)
    assert newest_complete_index(federation, federation.start + dt.timedelta(hours=47)) == 0
    assert newest_complete_index(federation, federation.start + dt.timedelta(hours=48)) == 1
    assert newest_complete_index(federation, federation.start) == -1


def test_the_window_ends_with_the_interval_and_does_not_reach_before_the_start(tmp_path: Path) -> None:
    federation = small_federation(tmp_path)
    assert training_window(federation, interval_at(federation, 0)).start == federation.start
    later = training_window(federation, interval_at(federation, 5))
    assert (later.end - later.start, later.end) == (federation.window, interval_at(federation, 5).end)
