import datetime as dt

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction

from fogline.airflow.timetable import FederationTimetable

START = dt.datetime(2014, 1, 1, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)


def starts(timetable: FederationTimetable, earliest: str, latest: str, catchup: bool = True) -> list[str]:
    restriction = TimeRestriction(pendulum.parse(earliest), pendulum.parse(latest), catchup)
    found: list[str] = []
    last: DataInterval | None = None
    while (info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)) is not None:
        assert info.data_interval is not None
        assert info.data_interval.end - info.data_interval.start == WEEK
        assert info.run_after == info.data_interval.end
        last = info.data_interval
        found.append(last.start.to_date_string())
    return found


def test_a_backfill_gets_every_interval_on_the_grid_of_its_span() -> None:
    timetable = FederationTimetable(START, WEEK, False)
    assert starts(timetable, "2014-01-01", "2014-01-15") == ["2014-01-01", "2014-01-08", "2014-01-15"]
    assert starts(timetable, "2014-01-02", "2014-01-20") == ["2014-01-08", "2014-01-15"]
    assert starts(timetable, "2013-06-01", "2014-01-01") == ["2014-01-01"]


def test_without_live_the_schedule_yields_nothing() -> None:
    assert starts(FederationTimetable(START, WEEK, False), "2014-01-01", "2030-01-01", catchup=False) == []


def test_live_yields_the_newest_complete_interval_and_then_the_next() -> None:
    timetable = FederationTimetable(START, WEEK, True)
    restriction = TimeRestriction(pendulum.parse("2014-01-01"), None, False)
    first = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert first is not None and first.data_interval is not None
    now = pendulum.now("UTC")
    assert first.data_interval.end <= now < first.data_interval.end + WEEK
    following = timetable.next_dagrun_info(last_automated_data_interval=first.data_interval, restriction=restriction)
    assert following is not None and following.data_interval is not None
    assert following.data_interval.start == first.data_interval.end
    assert following.run_after > now


@pytest.mark.parametrize("moment", ["2014-01-08T00:00Z", "2014-01-14T23:59Z", "2013-01-01T00:00Z"])
def test_a_manual_run_always_has_a_whole_interval(moment: str) -> None:
    timetable = FederationTimetable(START, WEEK, False)
    interval = timetable.infer_manual_data_interval(run_after=pendulum.parse(moment))
    assert (interval.start, interval.end) == (START, START + WEEK)


def test_it_survives_serialisation() -> None:
    timetable = FederationTimetable(START, WEEK, True)
    again = FederationTimetable.deserialize(timetable.serialize())
    assert again.serialize() == timetable.serialize()
    assert again.summary == "every 1 week"
