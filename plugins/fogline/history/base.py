"""What every history of global models promises, wherever it is kept."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from fogline.history.entry import HistoryEntry, Move
from fogline.history.errors import HistoryConflict, HistoryError, WeightsDamaged
from fogline.model import ModelFileError, from_bytes
from fogline.versions import Version


class History(ABC):
    """The committed versions of federations' branches, the moves of their heads, and their weights.

    A version exists once its entry does, and its weights were there before: a writer that is killed leaves nothing
    half visible. Writing again what is there changes nothing; writing something else under its number is refused.
    """

    title: str

    @abstractmethod
    def prepare(self) -> None:
        """Create what the store needs to be written to and does not have yet."""

    @abstractmethod
    def branches(self, federation: str) -> list[str]:
        """Return the branches with at least one version, by name."""

    @abstractmethod
    def held(self, federation: str, branch: str) -> dict[int, str]:
        """Return the digests of a branch's versions, by number, in order."""

    @abstractmethod
    def versions(self, federation: str, branch: str) -> list[HistoryEntry]:
        """Return a branch's versions, in order."""

    @abstractmethod
    def find(self, federation: str, version: Version) -> HistoryEntry | None:
        """Return a version; None when it is not held."""

    @abstractmethod
    def moves(self, federation: str, branch: str) -> list[Move]:
        """Return the moves of a branch's head, in order."""

    @abstractmethod
    def close(self) -> None:
        """Leave the store."""

    @abstractmethod
    def _content(self, entry: HistoryEntry) -> bytes:
        """Return the model file of a version that is held."""

    @abstractmethod
    def _add_version(self, entry: HistoryEntry, content: bytes) -> bool:
        """Write weights, then entry, unless the number is taken; tell whether it was free."""

    @abstractmethod
    def _add_move(self, move: Move) -> bool:
        """Write a move unless its number is taken; tell whether it was free."""

    def entry(self, federation: str, version: Version) -> HistoryEntry:
        """Return a version.

        Raises
        ------
        HistoryError
            It is not held; names the newest of its branch.
        """
        found = self.find(federation, version)
        if found is None:
            newest = max(self.held(federation, version.branch), default=None)
            known = "holds nothing of that branch" if newest is None else f"ends with {version.branch}@{newest}"
            raise HistoryError(f"{self.title} has no {version} of {federation}: it {known}")
        return found

    def weights(self, federation: str, version: Version) -> bytes:
        """Return a version's model file (safetensors), verified.

        Raises
        ------
        HistoryError
            The version is not held.
        WeightsDamaged
            The bytes are not those of the version.
        """
        entry = self.entry(federation, version)
        content = self._content(entry)
        _verify(entry, content, self.title)
        return content

    def record_version(self, entry: HistoryEntry, content: bytes) -> bool:
        """Take a version and its model file; tell whether it was new.

        Raises
        ------
        WeightsDamaged
            The file is not the version's: nothing is written.
        HistoryConflict
            The number is taken by something else: that stays.
        """
        _verify(entry, content, "what is to be recorded")
        if self._add_version(entry, content):
            return True
        self.require_same(entry, self.entry(entry.federation, entry.name))
        return False

    def record_move(self, move: Move) -> bool:
        """Take a head move; tell whether it was new.

        Raises
        ------
        HistoryConflict
            The number is taken by another move: that stays.
        """
        if self._add_move(move):
            return True
        known = {one.head_no: one for one in self.moves(move.federation, move.branch)}
        self.require_same(move, known[move.head_no])
        return False

    def require_same(self, given: HistoryEntry | Move, known: HistoryEntry | Move) -> None:
        """Check that what is given is what is held under its number.

        Raises
        ------
        HistoryConflict
            It differs; names the first field that does.
        """
        if given != known:
            fields = type(given).model_fields
            name = next(one for one in fields if getattr(given, one) != getattr(known, one))
            raise conflict(self.title, given.federation, given.label, name, getattr(known, name), getattr(given, name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def conflict(title: str, federation: str, what: str, field: str, known: object, given: object) -> HistoryConflict:
    """Return the refusal of what differs from what is held."""
    return HistoryConflict(
        f"{title} holds another {what} of {federation}: {field} is {known} there and {given} here, so it is the "
        "history of another ledger; give this one a keyspace or database of its own, or put the old ledger back"
    )


def _verify(entry: HistoryEntry, content: bytes, place: str) -> None:
    named = f"{place}: the weights of {entry.name}"
    try:
        model = from_bytes(content, named)
    except ModelFileError as error:
        raise WeightsDamaged(str(error)) from error
    for field, found, wanted in (
        ("digest", model.digest, entry.digest),
        ("plan", model.lineage.plan_id, entry.plan_id),
    ):
        if found != wanted:
            raise WeightsDamaged(f"{named} have {field} {found}, but the version's is {wanted}; fetch them again")
