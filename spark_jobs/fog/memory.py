"""Gives memory back to the machine: allocators keep what one long window took for ever."""

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Return what pyarrow's and C's allocators hold unused."""
    pa.default_memory_pool().release_unused()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        # Only glibc has it; elsewhere the allocators decide.
        return
