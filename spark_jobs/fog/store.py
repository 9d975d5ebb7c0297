"""A fog's readings, read by pyarrow alone."""

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from fogline.features import reading_schema
from fogline.federation.reading_rules import FieldRule
from fogline.messages.plan import EventTimeSpan
from spark_jobs.fog.dated_files import DAY, DatedFiles, first_of_each
from spark_jobs.fog.rules import store_schema

EPOCH_DATE = dt.date(1970, 1, 1)


class ReadingStore(DatedFiles):
    """The readings of one fog, as `fogline.features.reading_schema` has them."""

    def __init__(self, folder: Path, fields: Mapping[str, FieldRule], lateness: dt.timedelta) -> None:
        super().__init__(folder, store_schema(fields), lateness, distinct)
        self._columns = reading_schema(list(fields))

    def read(self, spans: Iterable[EventTimeSpan]) -> pa.Table:
        """Return the readings in any of the spans, once each, ordered by sensor and event time.

        Returns
        -------
        pyarrow.Table
            Columns as `fogline.features.reading_schema`. Of readings of one sensor and event time the one with the
            lowest Kafka partition and offset counts.
        """
        return self.without_places(super().read(spans))

    def without_places(self, readings: pa.Table) -> pa.Table:
        """Return stored readings in the columns that features are made of."""
        return readings.select(self._columns.names).cast(self._columns)

    def read_with_places(self, spans: Iterable[EventTimeSpan]) -> pa.Table:
        """Return the same as `read`, in the store's own columns."""
        return super().read(spans)

    def read_day(self, day: int) -> pa.Table:
        """Return what lies there of a UTC date, counted in days since 1970, in the store's own columns."""
        return self.read_dates([EPOCH_DATE + day * DAY])


def distinct(readings: pa.Table) -> pa.Table:
    """Order readings by sensor and event time and keep the first on Kafka of each pair."""
    return first_of_each(readings, ("sensor_id", "event_time"), ("kafka_partition", "kafka_offset"))
