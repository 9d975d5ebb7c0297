"""What a fog's folder says of its readings, also while the fog runs."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tenacity

from fogline.federation import Federation
from fogline.messages.account import ReadingAccount
from fogline.messages.plan import EventTimeSpan
from spark_jobs.fog.account import account_of
from spark_jobs.fog.dated_files import DAY, within
from spark_jobs.fog.examples import rows_of
from spark_jobs.fog.paths import FogPaths
from spark_jobs.fog.store import ReadingStore
from spark_jobs.fog.unused import UnusedRecords

# So many days are in memory at once.
N_DAYS = 31


@dataclass(frozen=True)
class Stored:
    """A fog's stores, to be read."""

    federation: Federation
    readings: ReadingStore
    unused: UnusedRecords

    @classmethod
    def at(cls, paths: FogPaths, federation: Federation) -> "Stored":
        """Open the stores in a fog's folder."""
        readings = ReadingStore(paths.readings, federation.fields, federation.lateness)
        return cls(federation, readings, UnusedRecords(paths.unused, federation.lateness))

    def account(self, window: EventTimeSpan | None = None) -> ReadingAccount:
        """Return what became of the records of a window, or of all that lie here.

        Nothing is left out of it for a flag, because that is a plan's own decision.
        """
        total = ReadingAccount()
        for span in [window] if window else self._everything():
            total = added(total, self._account(span))
        return total

    # The fog merges files and takes the merged ones away.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(FileNotFoundError), stop=tenacity.stop_after_attempt(10), reraise=True
    )
    def _account(self, window: EventTimeSpan) -> ReadingAccount:
        specification = self.federation.specification()
        before = EventTimeSpan(start=window.start - specification.look_back, end=window.end)
        stored = self.readings.read_with_places([before])
        rows = rows_of(self.readings.without_places(stored), specification).within(window)
        return account_of(within(stored, window), self.unused.read([window]), rows, np.zeros(len(rows), bool))

    def _everything(self) -> Iterator[EventTimeSpan]:
        dates = sorted({*self.readings.dates(), *self.unused.dates()})
        while dates:
            end = dates[0] + N_DAYS * DAY
            yield EventTimeSpan(start=_midnight(dates[0]), end=_midnight(end))
            dates = [date for date in dates if date >= end]


def added(one: ReadingAccount, other: ReadingAccount) -> ReadingAccount:
    """Return the account of both together."""
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in ReadingAccount.model_fields
        if name not in ("quarantined", "missing")
    }
    for name in ("quarantined", "missing"):
        sums[name] = dict(sorted((Counter(getattr(one, name)) + Counter(getattr(other, name))).items()))
    return ReadingAccount(**sums)


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(), dt.UTC)
