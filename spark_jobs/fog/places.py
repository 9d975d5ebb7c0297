"""Where a record lies, so that no two records share a place, also of a topic that was made anew.

A topic made anew begins its offsets again. The records of each one that a folder read have partitions of their own in
the store: Kafka's, and above it how many topics of that name came before.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# Together they fill an int64: 4,096 partitions of 128 topics, and offsets up to 1.7e13.
_PARTITION_BITS, _OFFSET_BITS = 12, 44


def with_stored_partitions(records: pa.Table, n_before: int) -> pa.Table:
    """Return records with the partitions to store, where ``n_before`` topics of that name came before."""
    if not n_before:
        return records
    shifted = pc.add(records["partition"], pa.scalar(n_before << _PARTITION_BITS, pa.int32()))
    return records.set_column(records.column_names.index("partition"), "partition", shifted)


def places_of(records: pa.Table) -> npt.NDArray[np.int64]:
    """Return the places of stored records as numbers, shape ``(n,)``."""
    partition, offset = (np.asarray(records[f"kafka_{name}"], np.int64) for name in ("partition", "offset"))
    places: npt.NDArray[np.int64] = (partition << _OFFSET_BITS) | offset
    return places
