"""Fogline's Spark applications; importing this package sets up numerical libraries before they load."""

import os

# Sums in one thread have one order, so the same plan over the same readings gives the same bytes.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"
# pyarrow's own allocator keeps memory per thread, out of reach of `fog.memory.give_back`.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
