"""Route each record of a topic to its fog of an application."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]
NOBODYS = -1


class Router:
    """Routes by the record's key.

    Parameters
    ----------
    sensors
        Each fog's own.
    warden
        The fog that takes the records under any other key, None where none of these does.
    """

    def __init__(self, sensors: Mapping[str, Sequence[str]], warden: str | None) -> None:
        keys = [(sensor.encode(), number) for number, own in enumerate(sensors.values()) for sensor in own]
        self._keys = pa.array([key for key, _ in keys], pa.binary())
        fogs = list(sensors)
        others = fogs.index(warden) if warden is not None and warden in fogs else NOBODYS
        # What is not found is the last one.
        self._fog_of = np.array([*(number for _, number in keys), others], np.int64)
        self._n_fogs = len(fogs)

    def rows(self, records: pa.Table) -> list[Rows]:
        """Return each fog's rows of a batch, in the order of the fogs and of the batch.

        Parameters
        ----------
        records
            ``key``, and ``n_bytes`` that is null of records of other applications' fogs.
        """
        if self._n_fogs == 1:
            return [np.flatnonzero(_is_here(records))]
        found = pc.index_in(records["key"].combine_chunks(), self._keys).fill_null(len(self._keys))
        fogs = np.where(_is_here(records), self._fog_of[np.asarray(found, np.int64)], NOBODYS)
        order = np.argsort(fogs, kind="stable")
        bounds = np.searchsorted(fogs[order], np.arange(self._n_fogs + 1))
        return [order[start:end] for start, end in itertools.pairwise(bounds)]


def _is_here(records: pa.Table) -> npt.NDArray[np.bool_]:
    here: npt.NDArray[np.bool_] = np.ones(records.num_rows, bool)
    if records["n_bytes"].null_count:
        here = records["n_bytes"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    return here
