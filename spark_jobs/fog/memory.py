"""Keeps memory and the collector's work small in a process that runs for years."""

import ctypes
import gc

import pyarrow as pa


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
