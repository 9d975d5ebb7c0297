"""What became of a window's records, to the reading; pure."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fogline.messages.account import ReadingAccount
from spark_jobs.fog.examples import Rows
from spark_jobs.fog.places import places_of
from spark_jobs.fog.unused import DUPLICATE, LATE

Mask = npt.NDArray[np.bool_]


def account_of(kept: pa.Table, unused: pa.Table, rows: Rows, left_out: Mask) -> ReadingAccount:
    """Account for a window.

    Parameters
    ----------
    kept
        Its readings, in the store's columns.
    unused
        Its other records, in the columns of `UnusedRecords`.
    rows
        The readings as rows, in any order.
    left_out
        The rows whose sensor is left out of training, shape ``(n,)``.
    """
    # A record that was refused before the federation's file was mended, and was read again since, is a reading now.
    others = unused.filter(pa.array(~np.isin(places_of(unused), places_of(kept))))
    verdicts = Counter(map(str, others["verdict"].to_pylist()))
    with_target = ~np.isnan(rows.target)
    seen = ~rows.held_out
    return ReadingAccount(
        received=len(np.unique(np.concatenate([places_of(kept), places_of(others)]))),
        used=int((seen & with_target & ~left_out).sum()),
        held_out=int(rows.held_out.sum()),
        without_target=int((seen & ~with_target).sum()),
        left_out=int((seen & with_target & left_out).sum()),
        duplicate=verdicts.pop(DUPLICATE, 0),
        late=verdicts.pop(LATE, 0),
        quarantined=dict(sorted(verdicts.items())),
        missing=_missing(kept),
    )


def of_sensors(rows: Rows, sensors: Iterable[str]) -> Mask:
    """Return which rows are of certain sensors, shape ``(n,)``."""
    return np.isin(rows.sensor, np.array(sorted(set(sensors)), object))


def _missing(kept: pa.Table) -> dict[str, int]:
    fields = [name for name in kept.column_names if pa.types.is_floating(kept.schema.field(name).type)]
    return {name: kept[name].null_count for name in fields if kept[name].null_count}
