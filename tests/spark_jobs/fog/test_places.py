"""Records of topics that were made anew have places of their own."""

import numpy as np
import pyarrow as pa

from spark_jobs.fog.places import places_of, with_stored_partitions


def places(n_before: int) -> list[int]:
    columns = {"partition": [0, 1, 0, 4095], "offset": [0, 0, 1, 2**44 - 1]}
    records = pa.table({"partition": pa.array(columns["partition"], pa.int32()), "offset": columns["offset"]})
    stored = with_stored_partitions(records, n_before).rename_columns(["kafka_partition", "kafka_offset"])
    return list(places_of(stored))


def test_no_two_records_share_a_place_and_they_have_an_order() -> None:
    found = [place for n_before in (0, 1, 127) for place in places(n_before)]
    assert len(set(found)) == len(found)
    assert min(found) == 0 and max(found) == np.iinfo(np.int64).max
    assert places(0) == places(0)
