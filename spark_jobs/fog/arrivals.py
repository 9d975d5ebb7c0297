"""Which of a batch's readings are used: neither late nor there before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_jobs.fog.held import CONFLICT, DUPLICATE, NEW, HeldReadings
from spark_jobs.fog.rules.moment import MICROSECOND
from spark_jobs.fog.watermark import Watermark, follow

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Arrived:
    """A batch's readings, sorted out: masks of shape ``(n,)``, and its sensors' watermarks after it."""

    new: Mask
    duplicate: Mask
    conflict: Mask
    late: Mask
    watermarks: Mapping[str, Watermark]


def arrive(
    readings: pa.Table, replayed: Mask, before: Mapping[str, Watermark], held: HeldReadings, lateness: timedelta
) -> Arrived:
    """Sort readings out.

    Parameters
    ----------
    readings
        In the store's columns, in the order of arrival.
    replayed
        Those that are sent again on purpose and therefore never late, shape ``(n,)``.
    before
        The watermarks before the batch.
    held
        What came before; it holds the new ones afterwards.
    """
    late = np.zeros(readings.num_rows, bool)
    after: dict[str, Watermark] = {}
    times_us = np.asarray(readings["event_time"].cast(pa.int64()), np.int64)
    encoded = readings["sensor_id"].combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices)
    for code, sensor in enumerate(map(str, encoded.dictionary.to_pylist())):
        rows = np.flatnonzero(codes == code)
        mark = before.get(sensor, Watermark())
        after[sensor], late[rows] = follow(mark, times_us[rows], replayed[rows], lateness // MICROSECOND)
    kinds = np.full(readings.num_rows, -1, np.int8)
    kinds[~late] = held.take(readings.filter(pa.array(~late)))
    return Arrived(kinds == NEW, kinds == DUPLICATE, kinds == CONFLICT, late, after)
