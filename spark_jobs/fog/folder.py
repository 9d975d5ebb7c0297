"""A fog's folder: which federation and fog it belongs to, and that one process at a time uses it."""

import fcntl
import json
import uuid
from pathlib import Path
from typing import IO

from spark_jobs.fog.errors import FogError
from spark_jobs.fog.paths import FogPaths


class FogFolder(FogPaths):
    """The folder of one fog, claimed for this process until it ends.

    Attributes
    ----------
    checkpoint
        Spark's checkpoint.
    checkpoint_id
        New with each new checkpoint, whose batches are numbered from zero again.

    Raises
    ------
    FogError
        Another process uses the folder, or its checkpoint belongs to another federation, fog or topic.
    """

    def __init__(self, data: Path, federation: str, fog: str, topic: str) -> None:
        super().__init__(data, federation, fog)
        self._lock = self._claim(fog)
        self.checkpoint_id = self._identify({"federation": federation, "fog": fog, "topic": topic})

    def close(self) -> None:
        """Leave the folder to the next process."""
        self._lock.close()

    def _claim(self, fog: str) -> IO[str]:
        self.path.mkdir(parents=True, exist_ok=True)
        # Held open: the kernel releases it with the process, however that ends.
        lock = (self.path / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise FogError(f"{self.path}: another process runs {fog} on this folder; stop it first") from error
        return lock

    def _identify(self, owner: dict[str, str]) -> str:
        identity = self.checkpoint / "fogline.json"
        if identity.exists():
            found = json.loads(identity.read_text())
            for name, value in owner.items():
                if found.get(name) != value:
                    raise FogError(
                        f"{self.checkpoint}: belongs to {name} {found.get(name)}, not {value}; "
                        f"give FOGLINE_FOG_DATA another folder, or move {self.path} away to read all anew"
                    )
            return str(found["checkpoint"])
        if (self.checkpoint / "metadata").exists():
            raise FogError(
                f"{self.checkpoint}: is a checkpoint without {identity.name}, so of something else; "
                f"give FOGLINE_FOG_DATA another folder, or move {self.path} away to read all anew"
            )
        return self._new_identity(identity, owner)

    def _new_identity(self, identity: Path, owner: dict[str, str]) -> str:
        checkpoint_id = uuid.uuid4().hex[:12]
        self.checkpoint.mkdir(exist_ok=True)
        temporary = identity.with_suffix(".part")
        temporary.write_text(json.dumps({**owner, "checkpoint": checkpoint_id}))
        temporary.replace(identity)
        return checkpoint_id
