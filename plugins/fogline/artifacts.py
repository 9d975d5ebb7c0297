"""The model store: files below one fsspec URL, each written whole under its final name or not at all."""

import contextlib
import os
import uuid

import fsspec

from fogline.errors import FoglineError

STORE_VARIABLE = "FOGLINE_MODEL_STORE"


class StoreError(FoglineError):
    """The model store can't be used or holds no such file."""


class StoreUnwritable(StoreError):
    """The model store does not take a file now, for example because its disk is full; trying again later may do."""


class ArtifactStore:
    """Files by relative path below a URL such as ``file:///srv/models`` or ``s3://bucket/models``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = fsspec.core.url_to_fs(url)

    @classmethod
    def from_environment(cls) -> "ArtifactStore":
        """Open the store that the environment names.

        Raises
        ------
        StoreError
            The variable is not set.
        """
        url = os.environ.get(STORE_VARIABLE)
        if not url:
            raise StoreError(f"{STORE_VARIABLE} is not set; give it a URL such as file:///srv/fogline/models")
        return cls(url)

    def exists(self, path: str) -> bool:
        """Tell whether a file is there."""
        return bool(self._files.exists(self._full(path)))

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises
        ------
        StoreError
            There is no such file.
        """
        try:
            return bytes(self._files.cat_file(self._full(path)))
        except FileNotFoundError as error:
            raise StoreError(f"the model store has no {path}; the task that writes it must run first") from error

    def write(self, path: str, data: bytes) -> None:
        """Write a file under a temporary name and move it: a reader sees the whole file or none.

        Raises
        ------
        StoreUnwritable
            The store does not take it; nothing of it is left behind.
        """
        full = self._full(path)
        temporary = f"{full}.{uuid.uuid4().hex}.part"
        try:
            self._files.makedirs(full.rsplit("/", 1)[0], exist_ok=True)
            self._files.pipe_file(temporary, data)
            self._files.mv(temporary, full)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._files.rm_file(temporary)
            raise StoreUnwritable(
                f"the model store at {self.url} does not take {path} ({len(data)} bytes): {error.strerror or error}; "
                "make room or mend its rights"
            ) from error

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"
