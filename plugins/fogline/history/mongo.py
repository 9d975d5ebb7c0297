"""The history in MongoDB.

The weights are a GridFS file, which appears whole; the version is the document that is inserted after it, under its
own name as ``_id``: of two writers one wins. A killed writer leaves chunks or a file that no version names.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bson import CodecOptions
from gridfs import GridFSBucket, NoFile
from gridfs.errors import CorruptGridFile
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError

from fogline.canonical import sha256_hex
from fogline.history.address import HistoryAddress
from fogline.history.base import History
from fogline.history.entry import HistoryEntry, Move
from fogline.history.errors import HistoryAddressError, HistoryDown, HistoryError, HistoryRefused, WeightsDamaged
from fogline.versions import Version

CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS = 10_000, 60_000
# Unauthorized and AuthenticationFailed.
REFUSALS = (13, 18)

Document = dict[str, Any]


class MongoHistory(History):
    """A history in one database; the address's options are pymongo's, and ``srv``.

    Raises
    ------
    HistoryAddressError
        An option is not one of pymongo's, or has a wrong value.
    HistoryDown
        The name of an ``srv`` address can't be resolved.
    """

    def __init__(self, address: HistoryAddress) -> None:
        self.title = f"MongoDB at {address.place}"
        self._client = self._connect(address)
        codec: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=dt.UTC)
        database = self._client.get_database(address.schema, codec_options=codec)
        self._versions: Collection[Document] = database["versions"]
        self._moves: Collection[Document] = database["head_moves"]
        self._weights = GridFSBucket(database, bucket_name="weights")

    def prepare(self) -> None:
        """Create the indexes that the queries go by."""
        with self._errors():
            for collection, number in ((self._versions, "version"), (self._moves, "head_no")):
                collection.create_index([("federation", 1), ("branch", 1), (number, 1)])

    def branches(self, federation: str) -> list[str]:
        """Return the branches with at least one version, by name."""
        with self._errors():
            return sorted(self._versions.distinct("branch", {"federation": federation}))

    def held(self, federation: str, branch: str) -> dict[int, str]:
        """Return the digests of a branch's versions, by number, in order."""
        with self._errors():
            rows = self._versions.find({"federation": federation, "branch": branch}, ["version", "digest"])
            return {row["version"]: row["digest"] for row in rows.sort("version", 1)}

    def versions(self, federation: str, branch: str) -> list[HistoryEntry]:
        """Return a branch's versions, in order."""
        with self._errors():
            rows = self._versions.find({"federation": federation, "branch": branch}).sort("version", 1)
            return [_entry(row) for row in rows]

    def find(self, federation: str, version: Version) -> HistoryEntry | None:
        """Return a version; None when it is not held."""
        row = self._row(federation, version)
        return None if row is None else _entry(row)

    def moves(self, federation: str, branch: str) -> list[Move]:
        """Return the moves of a branch's head, in order."""
        with self._errors():
            rows = self._moves.find({"federation": federation, "branch": branch}, {"_id": 0}).sort("head_no", 1)
            return [Move(**row) for row in rows]

    def close(self) -> None:
        """Leave the server."""
        self._client.close()

    def _content(self, entry: HistoryEntry) -> bytes:
        row = self._row(entry.federation, entry.name)
        assert row is not None
        try:
            with self._errors():
                content = self._weights.open_download_stream(row["weights"]["file"]).read()
        except (NoFile, CorruptGridFile) as error:
            raise WeightsDamaged(f"{self.title}: the weights of {entry.name} are not whole: {error}") from error
        if sha256_hex(content) != row["weights"]["sha256"]:
            raise WeightsDamaged(f"{self.title}: the weights of {entry.name} are not those that were written")
        return content

    def _add_version(self, entry: HistoryEntry, content: bytes) -> bool:
        sha256 = sha256_hex(content)
        with self._errors():
            # A copy (a branch's beginning, a promotion) has the weights of its origin, and a killed writer left a file.
            known = next(iter(self._weights.find({"filename": sha256}, limit=1)), None)
            file = known._id if known else self._weights.upload_from_stream(sha256, content)
        values = entry.model_dump()
        # A name with a dot can be no key everywhere.
        scores = [{"fog": fog, **score} for fog, score in values.pop("scores").items()]
        weights = {"file": file, "sha256": sha256}
        key = f"{entry.federation}/{entry.name}"
        return self._add(self._versions, {"_id": key, **values, "scores": scores, "weights": weights})

    def _add_move(self, move: Move) -> bool:
        key = f"{move.federation}/{move.branch}/{move.head_no}"
        return self._add(self._moves, {"_id": key, **move.model_dump()})

    def _add(self, collection: Collection[Document], document: Document) -> bool:
        with self._errors():
            try:
                collection.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    def _row(self, federation: str, version: Version) -> Document | None:
        with self._errors():
            return self._versions.find_one({"_id": f"{federation}/{version}"})

    def _connect(self, address: HistoryAddress) -> MongoClient[Document]:
        options = {name: value for name, value in address.options.items() if name != "srv"}
        defaults = {
            "serverSelectionTimeoutMS": CONNECT_TIMEOUT_MS,
            "connectTimeoutMS": CONNECT_TIMEOUT_MS,
            "socketTimeoutMS": REQUEST_TIMEOUT_MS,
        }
        login = {"username": address.login, "password": address.password} if address.login else {}
        try:
            return MongoClient(address.mongo_hosts(), **{**defaults, **options, **login})
        except (ConfigurationError, ValueError, TypeError) as error:
            raise HistoryAddressError(f"{address.source}: {error}") from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the driver's errors into the history's, each told in one line."""
        try:
            yield
        except ConnectionFailure as error:
            # What follows the first clause is the driver's view of the topology.
            raise HistoryDown(f"{self.title} does not answer: {str(error).split(', Timeout:')[0]}") from error
        except OperationFailure as error:
            reason = str(error.details.get("errmsg", error)) if error.details else str(error)
            if error.code in REFUSALS:
                raise HistoryRefused(
                    f"{self.title} refuses the login: {reason}; it needs the role readWrite on the database"
                ) from error
            raise HistoryError(f"{self.title} refuses: {reason}") from error
        except (NoFile, CorruptGridFile):
            raise
        except PyMongoError as error:
            raise HistoryDown(f"{self.title} does not answer: {error}") from error


def _entry(row: Document) -> HistoryEntry:
    values = {name: row[name] for name in HistoryEntry.model_fields}
    scores = {score["fog"]: {name: score[name] for name in score if name != "fog"} for score in row["scores"]}
    return HistoryEntry(**{**values, "scores": scores})
