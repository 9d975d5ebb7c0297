"""What decides the last bits of this machine's floating-point results."""

import ctypes
import functools
import importlib.metadata
import platform
from pathlib import Path

import numpy as np

from fogline.messages.answer import Platform


@functools.cache
def this_platform() -> Platform:
    """Describe this process."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return Platform(
        machine=platform.machine(),
        cpu_kernel=_cpu_kernel(),
        python=platform.python_version(),
        numpy=np.__version__,
        blas=f"{blas['name']} {blas['version']}",
        pyarrow=importlib.metadata.version("pyarrow"),
        duckdb=importlib.metadata.version("duckdb"),
    )


def _cpu_kernel() -> str:
    # numpy's wheels carry OpenBLAS, which picks its kernel by the CPU it finds.
    for library in (Path(np.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas64_*"):
        corename = ctypes.CDLL(str(library)).scipy_openblas_get_corename64_
        corename.restype = ctypes.c_char_p
        return str(corename().decode())
    return "unknown"
