"""Read what Spark's checkpoint of a topic's query says; by its files as Spark 4.2 writes them."""

import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

Offsets = Mapping[int, int]
INITIAL = -1


class SparkCheckpoint:
    """The checkpoint of a query with one source, which may not be there.

    Parameters
    ----------
    topic
        The one that the query reads.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self.folder, self._topic = folder, topic

    def offsets(self, batch_id: int) -> Offsets:
        """Return where a batch ends by partition; of `INITIAL`, where the first one begins.

        Raises
        ------
        OSError, ValueError, KeyError
            Spark did not plan it, or its file is broken.
        """
        file = self.folder / "sources/0/0" if batch_id == INITIAL else self.folder / "offsets" / str(batch_id)
        # A version, for a batch its settings, and what the one source said.
        text = file.read_text().splitlines()[-1]
        return {int(partition): int(offset) for partition, offset in json.loads(text)[self._topic].items()}

    def is_begun(self) -> bool:
        """Tell whether it says where its first batch begins."""
        return (self.folder / "sources/0/0").exists()

    def last_planned(self) -> int:
        """Return the last batch that was begun, `INITIAL` where none was."""
        return self._last("offsets")

    def last_committed(self) -> int:
        """Return the last batch that Spark knows is over, `INITIAL` where none is."""
        return self._last("commits")

    def goes_on_from(self, wanted: Mapping[int, int | None]) -> bool:
        """Tell whether a query on it reads on from where its fogs are: from within the batch that was begun last.

        Parameters
        ----------
        wanted
            The lowest position of the fogs by partition of the topic, None where one of them has none.
        """
        try:
            starts, ends = self.offsets(self.last_committed()), self.offsets(self.last_planned())
        except (OSError, ValueError, KeyError, AttributeError, IndexError):
            # Never begun, or broken: nothing depends on it.
            return False
        known = {partition: at for partition, at in wanted.items() if at is not None}
        if not starts.keys() <= known.keys() <= ends.keys():
            return False
        return all(starts.get(partition, 0) <= at <= ends[partition] for partition, at in known.items())

    def clear(self) -> None:
        """Take it away whole: a kill leaves it as it was, or not there."""
        for leftover in self.folder.parent.glob(f"{self.folder.name}.old-*"):
            shutil.rmtree(leftover)
        if self.folder.exists():
            away = self.folder.with_name(f"{self.folder.name}.old-{uuid.uuid4().hex}")
            self.folder.rename(away)
            shutil.rmtree(away)

    def _last(self, log: str) -> int:
        names = [path.name for path in (self.folder / log).glob("*")] if (self.folder / log).is_dir() else []
        return max((int(name) for name in names if name.isdecimal()), default=INITIAL)
