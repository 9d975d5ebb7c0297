"""Of readings of one sensor and event time the first that arrived counts, whatever is replayed."""

from pathlib import Path

import pyarrow as pa
import pytest

from fogline.federation import Federation
from spark_jobs.fog.held import CONFLICT, DUPLICATE, N_DATES, NEW, HeldReadings
from spark_jobs.fog.store import ReadingStore
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import readings


@pytest.fixture
def own(tmp_path: Path) -> Federation:
    return made.federation(tmp_path)


@pytest.fixture
def store(own: Federation, tmp_path: Path) -> ReadingStore:
    return made.store(own, tmp_path)


def held_in(own: Federation, store: ReadingStore) -> HeldReadings:
    return HeldReadings(own.fogs["fog-a"].sensors, list(own.fields), store.read_day)


def test_the_same_again_is_a_duplicate_and_other_values_are_a_conflict(own: Federation, store: ReadingStore) -> None:
    held = held_in(own, store)
    batch = readings(own, "s1", [0.1, 0.2, 0.1, 0.2], [1, None, 1, 2], offset=5)
    assert held.take(batch).tolist() == [NEW, NEW, DUPLICATE, CONFLICT]
    again = readings(own, "s1", [0.2, 0.1, 0.3], [None, 3, 4], offset=90)
    assert held.take(again).tolist() == [DUPLICATE, CONFLICT, NEW]
    assert held.take(readings(own, "s3", [0.1], [9], offset=100)).tolist() == [NEW]


def test_it_is_known_after_a_restart_also_on_merged_dates(own: Federation, store: ReadingStore) -> None:
    store.write("c-0", readings(own, "s1", [0.1, 1.1], [1, 2]))
    store.write("c-1", readings(own, "s1", [0.2], [3], offset=7))
    store.tidy(made.at(5))
    batch = readings(own, "s1", [0.1, 0.2, 1.1, 0.3], [1, 9, 2, 4], offset=50)
    assert held_in(own, store).take(batch).tolist() == [DUPLICATE, CONFLICT, DUPLICATE, NEW]


def test_a_replayed_batch_is_itself(own: Federation, store: ReadingStore) -> None:
    batch = readings(own, "s1", [0.1, 0.2, 0.1], [1, 2, 1])
    held = held_in(own, store)
    first = held.take(batch)
    store.write("c-0", batch.filter(pa.array(first == NEW)))
    for again in (held, held_in(own, store)):
        assert again.take(batch).tolist() == first.tolist() == [NEW, NEW, DUPLICATE]


def test_a_replay_with_other_values_does_not_pass_for_itself(own: Federation, store: ReadingStore) -> None:
    held = held_in(own, store)
    held.take(readings(own, "s1", [0.1], [1]))
    assert held.take(readings(own, "s1", [0.1], [2], offset=1)).tolist() == [CONFLICT]


def test_dates_beyond_what_memory_holds_are_read_again(own: Federation, store: ReadingStore) -> None:
    held = held_in(own, store)
    days = [float(day) for day in range(N_DATES + 10)]
    batch = readings(own, "s1", days, days)
    assert set(held.take(batch).tolist()) == {NEW}
    store.write("c-0", batch)
    assert set(held.take(readings(own, "s1", days, days, offset=1000)).tolist()) == {DUPLICATE}
