"""Going on where a stream stopped."""

from collections.abc import Iterator
from itertools import pairwise

import pyarrow as pa
import pytest

from producer.position import advanced
from producer.readings import EVENT_TIME, EVENT_TIME_TYPE, SENSOR, event_times_us
from producer.run import undelivered

TIMES_US = [1, 1, 1, 2, 3, 3, 3, 3, 4]
READINGS = pa.RecordBatch.from_pydict(
    {SENSOR: pa.array(list("abcdefghi")), EVENT_TIME: pa.array(TIMES_US, pa.int64()).cast(EVENT_TIME_TYPE)}
)


def batches_from(event_time_us: int, size: int) -> Iterator[pa.RecordBatch]:
    first = TIMES_US.index(event_time_us)
    cuts = [*range(first, len(TIMES_US), size), len(TIMES_US)]
    for start, end in pairwise(cuts):
        yield READINGS.slice(start, end - start)


@pytest.mark.parametrize("size", [1, 2, 3, 9])
@pytest.mark.parametrize("n_delivered", range(1, len(TIMES_US) + 1))
def test_it_goes_on_with_the_next_reading_wherever_it_stopped(n_delivered: int, size: int) -> None:
    position = advanced(None, event_times_us(READINGS)[:n_delivered])
    rest = undelivered(batches_from(position.event_time_us, size), position)
    assert "".join(sensor for batch in rest for sensor in batch.column(SENSOR).to_pylist()) == "abcdefghi"[n_delivered:]


def test_a_first_start_sends_everything() -> None:
    assert sum(batch.num_rows for batch in undelivered(batches_from(1, 4), None)) == len(TIMES_US)
