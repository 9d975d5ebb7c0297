"""The federation's grid as Airflow data intervals: schedules, backfills and manual runs stand on the same intervals."""

import datetime as dt
from typing import Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable


def humanise(length: dt.timedelta) -> str:
    """Return a length of time in words, such as "1 week"."""
    return pendulum.duration(seconds=length.total_seconds()).in_words()


class FederationTimetable(Timetable):
    """Intervals of equal length, anchored at the federation's start.

    A backfill gets every interval of its span. Of the schedule's own runs, ``is_live`` yields the newest complete
    interval, and otherwise there are none.

    Parameters
    ----------
    start
        Where interval number 0 begins.
    interval
        Length of each interval.
    """

    def __init__(self, start: dt.datetime, interval: dt.timedelta, is_live: bool) -> None:
        self._start = pendulum.instance(start).in_timezone("UTC")
        self._interval = interval
        self._is_live = is_live
        self._length = humanise(interval)
        self.description = f"every {self._length} of event time from {self._start:YYYY-MM-DD HH:mm} UTC" + (
            "" if is_live else ", by hand or by backfill"
        )

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return f"every {self._length}"

    def serialize(self) -> dict[str, Any]:
        """Return what `deserialize` takes."""
        return {
            "start": self._start.isoformat(),
            "interval_s": self._interval.total_seconds(),
            "is_live": self._is_live,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Rebuild the timetable from the serialised DAG."""
        start = dt.datetime.fromisoformat(data["start"])
        return cls(start, dt.timedelta(seconds=data["interval_s"]), data["is_live"])

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the newest interval that is complete by then; a round ignores it (see `AnnounceRound`)."""
        return self._at(max(self._complete_by(run_after), 0))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next run of a backfill (``catchup``) or of the live schedule."""
        after_last = 0 if last_automated_data_interval is None else self._next_index(last_automated_data_interval)
        if restriction.catchup:
            index = max(after_last, self._first_from(restriction.earliest))
        elif self._is_live:
            index = max(after_last, self._complete_by(pendulum.now("UTC")))
        else:
            return None
        interval = self._at(index)
        if restriction.latest is not None and interval.start > restriction.latest:
            return None
        return DagRunInfo.interval(interval.start, interval.end)

    def _at(self, index: int) -> DataInterval:
        start = self._start + index * self._interval
        return DataInterval(start, start + self._interval)

    def _complete_by(self, moment: dt.datetime) -> int:
        return self._steps_to(moment) - 1

    def _steps_to(self, moment: dt.datetime) -> int:
        return int((moment.timestamp() - self._start.timestamp()) // self._interval.total_seconds())

    def _first_from(self, earliest: dt.datetime | None) -> int:
        if earliest is None:
            return 0
        whole = self._steps_to(earliest)
        return max(0, whole if self._at(whole).start == earliest else whole + 1)

    def _next_index(self, last: DataInterval) -> int:
        return self._steps_to(last.start) + 1
