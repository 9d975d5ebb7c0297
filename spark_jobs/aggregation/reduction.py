"""What a way of reducing updates returns, and Spark's errors as this layer's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fogline.blocks import Vector
from spark_jobs.aggregation.errors import AggregationError
from spark_jobs.aggregation.updates import Rejections


class Reduction(NamedTuple):
    """The reduced parameters, shape ``(n_parameters,)``; None when updates were rejected: reduce the others again."""

    parameters: Vector | None
    rejected: Rejections


@contextmanager
def spark_errors() -> Iterator[None]:
    """Turn Spark's exceptions into this layer's.

    Raises
    ------
    AggregationError
        Spark failed; carries the first line of what it said.
    """
    # Here, not above: a warm task that never fails needs neither.
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise AggregationError(f"Spark could not read the blocks: {lines[0] if lines else type(error)}") from error
