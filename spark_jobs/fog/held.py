"""What the store holds of the dates in use, to tell a new reading from one that came before.

Of readings of one sensor and event time the first that arrived counts. Another with the same values is a duplicate,
one with other values a conflict; a record that is read again (a batch replayed, a checkpoint begun anew) is itself.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_jobs.fog.places import places_of

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

DAY_US = 86_400_000_000
# Catching up goes through years of dates; a replay may touch any.
N_DATES = 64
NEW, DUPLICATE, CONFLICT = 0, 1, 2
_PRIME = np.uint64(0x9E3779B97F4A7C15)


class _Date(NamedTuple):
    """Readings of a UTC date in the order of `key`: sensor and time, where each lies on Kafka, and what it says."""

    key: Ints
    place: Ints
    content: Words

    def at(self, rows: Ints) -> "_Date":
        return _Date(self.key[rows], self.place[rows], self.content[rows])


_NOTHING = _Date(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint64))


class HeldReadings:
    """Sorts arriving readings by what is held.

    Parameters
    ----------
    sensors
        The fog's own.
    fields
        The declared fields.
    read_day
        Gives the stored readings of a UTC date, counted in days since 1970, in the store's columns.
    """

    def __init__(self, sensors: Sequence[str], fields: Sequence[str], read_day: Callable[[int], pa.Table]) -> None:
        self._sensors = pa.array(sorted(sensors), pa.string())
        self._fields, self._read_day = list(fields), read_day
        self._dates: OrderedDict[int, _Date] = OrderedDict()

    def take(self, readings: pa.Table) -> npt.NDArray[np.int8]:
        """Tell of each reading whether it is `NEW`, a `DUPLICATE` or a `CONFLICT`, shape ``(n,)``; hold the new ones.

        Parameters
        ----------
        readings
            In the store's columns, in the order of arrival.
        """
        kinds = np.full(readings.num_rows, NEW, np.int8)
        arrived, days = self._date_of(readings), _times_us(readings) // DAY_US
        for day in np.unique(days):
            rows = np.flatnonzero(days == day)
            date = arrived.at(rows)
            kinds[rows] = self._take_date(int(day), date)
        while len(self._dates) > N_DATES:
            self._dates.popitem(last=False)
        return kinds

    def _take_date(self, day: int, arrived: _Date) -> npt.NDArray[np.int8]:
        held = self._dates.pop(day, None) or self._stored(day)
        # Stable: of equal keys the one that arrived first comes first.
        order = np.argsort(arrived.key, kind="stable")
        keys = arrived.key[order]
        first = order[np.searchsorted(keys, arrived.key)]
        at = np.searchsorted(held.key, arrived.key)
        known = np.zeros(len(at), bool)
        inside = at < len(held.key)
        known[inside] = held.key[at[inside]] == arrived.key[inside]
        place, content = arrived.place[first], arrived.content[first]
        place[known], content[known] = held.place[at[known]], held.content[at[known]]
        other = place != arrived.place
        kinds = np.where(other, np.where(content == arrived.content, DUPLICATE, CONFLICT), NEW).astype(np.int8)
        fresh = ~known & ~other
        self._dates[day] = _merged(held, arrived.at(np.flatnonzero(fresh)))
        return kinds

    def _stored(self, day: int) -> _Date:
        stored = self._read_day(day)
        return _sorted(self._date_of(stored)) if stored.num_rows else _NOTHING

    def _date_of(self, readings: pa.Table) -> _Date:
        sensors = readings["sensor_id"].combine_chunks()
        codes = np.asarray(pa.compute.index_in(sensors, self._sensors).fill_null(-1), np.int64)
        key = codes * DAY_US + _times_us(readings) % DAY_US
        return _Date(key, places_of(readings), self._content(readings))

    def _content(self, readings: pa.Table) -> Words:
        mixed = np.zeros(readings.num_rows, np.uint64)
        for name in self._fields:
            values = readings[name].to_numpy(zero_copy_only=False).astype(np.float64)
            bits = np.where(np.isnan(values), np.nan, values).view(np.uint64)
            mixed = (mixed ^ bits) * _PRIME
            mixed ^= mixed >> np.uint64(29)
        return mixed


def _sorted(date: _Date) -> _Date:
    return date.at(np.lexsort((date.place, date.key)))


def _merged(held: _Date, fresh: _Date) -> _Date:
    if not len(fresh.key):
        return held
    fresh = _sorted(fresh)
    if not len(held.key):
        return fresh
    at = np.searchsorted(held.key, fresh.key)
    return _Date(
        np.insert(held.key, at, fresh.key),
        np.insert(held.place, at, fresh.place),
        np.insert(held.content, at, fresh.content),
    )


def _times_us(readings: pa.Table) -> Ints:
    return np.asarray(readings["event_time"].cast(pa.int64()), np.int64)
