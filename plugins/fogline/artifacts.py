"""The model store: files below one fsspec URL, each written whole under its final name or not at all."""

import os
import uuid

import fsspec

from fogline.errors import FoglineError

STORE_VARIABLE = "FOGLINE_MODEL_STORE"


class StoreError(FoglineError):
    """The model store can't be used or holds no such file."""


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
        """Write a file under a temporary name and move it: a reader sees the whole file or none."""
        full = self._full(path)
        self._files.makedirs(full.rsplit("/", 1)[0], exist_ok=True)
        temporary = f"{full}.{uuid.uuid4().hex}.part"
        self._files.pipe_file(temporary, data)
        self._files.mv(temporary, full)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"
