"""A file of a folder that keeps growing: which one it is, and how far it was read."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from producer.errors import ProducerError
from producer.spool import Message

# Two files that are alike in so many bytes before the same place are the same file: readings have times.
N_SEALED_BYTES = 64 * 1024

# Is told what is wrong with a row.
Complain: TypeAlias = Callable[[str], None]


class Unreadable(ProducerError):
    """A file can't be read as it is; the others go on, and it is tried again when it has changed."""


@dataclass(frozen=True)
class Place:
    """How far a file was read.

    Parameters
    ----------
    path
        Where it lay.
    end
        The bytes that `seal` stands behind: those that were read, or all of a file that never grows.
    seal
        A digest of the last of them, by which the file is known again under another name or on another disk, and
        another file under its name is not taken for it.
    n_rows
        Rows that were taken.
    """

    path: str
    end: int
    seal: str
    n_rows: int

    @classmethod
    def loads(cls, text: str) -> "Place":
        """Parse what `dumps` wrote."""
        return cls(**json.loads(text))

    def dumps(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    def is_sealed_in(self, file: BinaryIO) -> bool:
        """Say whether a file has the sealed bytes at their place."""
        return seal(file, self.end) == self.seal


def seal(file: BinaryIO, end: int) -> str:
    """Return the digest of the bytes before a place."""
    start = max(0, end - N_SEALED_BYTES)
    file.seek(start)
    return hashlib.sha256(file.read(end - start)).hexdigest()[:32]


@dataclass(frozen=True)
class Opened:
    """A file as it was when it was opened; what comes later is for the next look."""

    path: Path
    file: BinaryIO
    n_bytes: int


class Kind(Protocol):
    """How the files of a folder are read."""

    @property
    def name(self) -> str:
        """The source's name."""

    def goes_on(self, place: Place, opened: Opened) -> bool:
        """Say whether a file is the one that was read up to a place."""

    def stretches(
        self, place: Place | None, opened: Opened, complain: Complain
    ) -> Iterator[tuple[list[Message], Place]]:
        """Read on from a place, or from the start; give records and the place behind them.

        Raises
        ------
        Unreadable
            It can't be read as it is.
        """
