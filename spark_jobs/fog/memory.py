"""Keeps memory and the collector's work small in a process that runs for years."""

import ctypes
import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa


class _Refusal(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("a fog node goes without pandas", name=fullname)
        return None


def go_without_pandas() -> None:
    """Let imports of pandas fail from now on: pyarrow loads it, if it can, only to recognise its objects (40 MiB)."""
    sys.meta_path.insert(0, _Refusal())


def settle() -> None:
    """Take what is loaded by now out of the garbage collector's rounds, which each large batch would cause."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Return to the machine what the allocators hold unused; else they keep what one long window took for ever."""
    pa.default_memory_pool().release_unused()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        # Only glibc has it; elsewhere the allocators decide.
        return
