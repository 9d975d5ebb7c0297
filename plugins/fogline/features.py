"""Features and target are SQL over the fields; one engine computes them everywhere (training, scoring, predicting)."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fogline.errors import FoglineError

if TYPE_CHECKING:
    from fogline.federation.settings import Specification

EVENT_TIME = pa.timestamp("us")
KEY_COLUMNS = ("sensor_id", "event_time")


class FeatureError(FoglineError):
    """An expression is no valid SQL over the fields."""


def reading_schema(fields: list[str]) -> pa.Schema:
    """Return the columns that expressions see: sensor, event time (UTC, no zone) and the fields as float64."""
    columns: list[pa.Field[Any]] = [pa.field("sensor_id", pa.string()), pa.field("event_time", EVENT_TIME)]
    return pa.schema([*columns, *(pa.field(name, pa.float64()) for name in fields)])


_engines = threading.local()


@contextlib.contextmanager
def _engine(readings: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    # Kept for its thread: opening one costs several times what the expressions do.
    if not hasattr(_engines, "connection"):
        _engines.connection = _open()
    connection: duckdb.DuckDBPyConnection = _engines.connection
    connection.register("readings", readings)
    try:
        yield connection
    finally:
        connection.unregister("readings")


def _open() -> duckdb.DuckDBPyConnection:
    # One thread and no access to files or the network: the same bytes each time, and nothing a federation file
    # says can read more than the slice it is given.
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "enable_external_access": False,
        "lock_configuration": True,
    }
    return duckdb.connect(":memory:", config=config)


def compute(readings: pa.Table, expressions: dict[str, str]) -> pa.Table:
    """Evaluate named SQL expressions over readings.

    Parameters
    ----------
    readings
        Columns as in `reading_schema`; ``event_time`` in UTC.
    expressions
        SQL by name, in the order of the columns wanted.

    Returns
    -------
    pyarrow.Table
        ``sensor_id``, ``event_time`` and one float64 column per expression, ordered by sensor and event time.

    Raises
    ------
    FeatureError
        An expression fails on these readings.
    """
    columns = ", ".join(f'CAST(({sql}) AS DOUBLE) AS "{name}"' for name, sql in expressions.items())
    with _engine(readings) as connection:
        try:
            relation = connection.sql(
                f"SELECT sensor_id, event_time, {columns} FROM readings ORDER BY sensor_id, event_time"
            )
            table: pa.Table = relation.to_arrow_table()
            return table
        except duckdb.Error as error:
            raise FeatureError(_first_line(error)) from error


def column_values(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """Return a float64 column as an array of shape ``(n,)``, NaN where it is null."""
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), np.float64)


def check_expressions(specification: "Specification") -> None:
    """Try every expression of a specification on an empty table.

    Raises
    ------
    FeatureError
        Names the first expression that is no valid SQL over the declared fields.
    """
    empty = reading_schema(list(specification.fields)).empty_table()
    places = {f"features.{name}": sql for name, sql in specification.features.items()}
    places["target.expression"] = specification.target.expression
    with _engine(empty) as connection:
        for place, sql in places.items():
            try:
                connection.sql(f"SELECT CAST(({sql}) AS DOUBLE) FROM readings").fetchall()
            except duckdb.Error as error:
                fields = ", ".join(specification.fields)
                raise FeatureError(
                    f"{place}: {sql!r} is no valid SQL over the fields: {_first_line(error)}; fields are {fields}"
                ) from error


def have_same_expressions(one: "Specification", other: "Specification") -> bool:
    """Tell whether two specifications compute the same columns of the same fields, so that one check is enough."""
    return (
        one.fields.keys() == other.fields.keys()
        and one.features == other.features
        and one.target.expression == other.target.expression
    )


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0]
