"""A fog's folder: which federation and fog it belongs to, and that one process at a time uses it."""

import fcntl
import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from fogline.kafka.identity import TopicIdentity
from spark_jobs.fog.errors import FogError
from spark_jobs.fog.paths import FogPaths

# Of the whole folder: what lies where. A file without one is of the first, in which each fog had a query of its own.
LAYOUT, LAYOUT_OF_OWN_QUERIES = 2, 1
UNTOLD = TopicIdentity()


class FogFolder(FogPaths):
    """The folder of one fog, claimed for this process until it ends.

    Parameters
    ----------
    source
        Which topic the name ``topic`` means now, as far as the broker tells.

    Attributes
    ----------
    checkpoint
        Says which topic the fog reads; how far is in its state, under the checkpoint's id.
    checkpoint_id
        New with each new checkpoint, whose batches are numbered from zero again.
    had_own_query
        Whether Spark's checkpoint of a query of its own says how far the fog is; see `layout`.
    n_topics_before
        How many topics of that name the folder's readings come from, apart from this one.

    Raises
    ------
    FogError
        Another process uses the folder, its checkpoint belongs to another federation, fog or topic, the topic was made
        anew, or another Fogline laid the folder out.
    """

    def __init__(self, data: Path, federation: str, fog: str, topic: str, source: TopicIdentity = UNTOLD) -> None:
        super().__init__(data, federation, fog)
        self._topic, self._identity = topic, self.checkpoint / "fogline.json"
        self._lock = self._claim(fog)
        self.checkpoint_id = self._identify({"federation": federation, "fog": fog, "topic": topic})
        self.had_own_query = self._version(self._read()) == LAYOUT_OF_OWN_QUERIES
        self.follow(source)
        self.n_topics_before = self._number(source.topic)

    def follow(self, source: TopicIdentity) -> None:
        """Note which topic the checkpoint continues, if that isn't known yet.

        Raises
        ------
        FogError
            The checkpoint continues another topic of that name; Spark would go on in the middle of this one.
        """
        found = self._read()
        for name, value in asdict(source).items():
            before = found.get(f"{name}_id", value)
            if value and before != value:
                raise FogError(
                    f"{self.checkpoint}: continues topic {self._topic} of {name} id {before}, and now that is {value}: "
                    f"it was made anew, so offsets mean other records; move {self.checkpoint} away to read it from its "
                    "start (readings stay, and those that are there again are recognised)"
                )
        told = {f"{name}_id": value for name, value in asdict(source).items() if value}
        if not told.items() <= found.items():
            _replace(self._identity, {**found, **told})

    def first_n_partitions(self, n_partitions: int) -> int:
        """Return how many partitions the topic had when that mattered first, which is now if it is not noted yet."""
        found = self._read()
        if "n_partitions" not in found:
            _replace(self._identity, {**found, "n_partitions": n_partitions})
        return int(found.get("n_partitions", n_partitions))

    def note_layout(self) -> None:
        """Note that the folder is laid out as this Fogline does it."""
        _replace(self._identity, {**self._read(), "version": LAYOUT})
        self.had_own_query = False

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
        if self._identity.exists():
            found = self._read()
            for name, value in owner.items():
                if found.get(name) != value:
                    raise FogError(
                        f"{self.checkpoint}: belongs to {name} {found.get(name)}, not {value}; "
                        f"give FOGLINE_FOG_DATA another folder, or move {self.path} away to read all anew"
                    )
            return str(found["checkpoint"])
        if (self.checkpoint / "metadata").exists():
            raise FogError(
                f"{self.checkpoint}: is a checkpoint without {self._identity.name}, so of something else; "
                f"give FOGLINE_FOG_DATA another folder, or move {self.path} away to read all anew"
            )
        checkpoint_id = uuid.uuid4().hex[:12]
        self.checkpoint.mkdir(exist_ok=True)
        _replace(self._identity, {"version": LAYOUT, **owner, "checkpoint": checkpoint_id})
        return checkpoint_id

    def _number(self, topic_id: str | None) -> int:
        # Beside the checkpoint, because a new topic takes a new checkpoint.
        file = self.path / "topics.json"
        known: list[str] = json.loads(file.read_text()) if file.exists() else []
        if topic_id and topic_id not in known:
            known.append(topic_id)
            _replace(file, known)
        return known.index(topic_id) if topic_id else max(0, len(known) - 1)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._identity.read_text())
            version = self._version(found)
        except (OSError, ValueError, AttributeError):
            raise FogError(f"{self._identity}: can't be read; move {self.path} away to read all anew") from None
        if version not in (LAYOUT, LAYOUT_OF_OWN_QUERIES):
            raise FogError(
                f"{self._identity}: version {version}, and this Fogline knows version {LAYOUT}; "
                f"run the Fogline that made it, or move {self.path} away to read all anew"
            )
        return dict(found)

    def _version(self, identity: dict[str, Any]) -> Any:
        return identity.get("version", LAYOUT_OF_OWN_QUERIES)


def _replace(file: Path, content: object) -> None:
    temporary = file.with_suffix(".part")
    temporary.write_text(json.dumps(content))
    temporary.replace(file)
