"""From a user's columns to readings; a value that is none is named by file, line, column, and with its remedy."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fogline.zones import zone_named
from producer.errors import ProducerError
from producer.readings import EVENT_TIME, EVENT_TIME_TYPE, SENSOR, Cells

MISSING = ("", "-", "NA", "N/A", "n/a", "NULL", "Null", "null", "None")


@dataclass(frozen=True)
class Columns:
    """Which of a file's columns hold sensor, event time and fields.

    Parameters
    ----------
    fields
        The column of each field; empty: every other column, under its own name.
    zone
        Where the file's times are local and carry no offset, the zone they are local to.
    """

    sensor: str = SENSOR
    time: str = EVENT_TIME
    fields: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None

    def __post_init__(self) -> None:
        """Check the zone.

        Raises
        ------
        ProducerError
            There is no such zone.
        """
        try:
            zone_named(self.zone or "UTC")
        except ValueError as error:
            raise ProducerError(f"--zone {self.zone}: there is no such time zone; give one as Europe/Paris") from error

    def described(self) -> dict[str, object]:
        """Return what decides the readings, for a stream's identity."""
        return {"sensor": self.sensor, "time": self.time, "fields": dict(self.fields), "zone": self.zone}

    def of_fields(self, place: str, present: Sequence[str]) -> dict[str, str]:
        """Return the column of each field in a file with certain columns.

        Raises
        ------
        ProducerError
            A column asked for is not there.
        """
        fields = dict(self.fields) or {name: name for name in present if name not in (self.sensor, self.time)}
        options = {self.sensor: "--sensor-column", self.time: "--time-column"}
        for column in (self.sensor, self.time, *fields.values()):
            if column not in present:
                raise ProducerError(
                    f"{place}: there is no column {column!r}, only {', '.join(map(repr, present))}; "
                    f"name the right one with {options.get(column, '--field name=column')}"
                )
        return fields


@dataclass(frozen=True)
class Rows:
    """A stretch of a file's rows and how to name one of them."""

    place: str
    table: pa.Table
    label: Callable[[int], str]


def to_readings(rows: Rows, columns: Columns) -> pa.Table:
    """Return readings in the file's order.

    Raises
    ------
    ProducerError
        A column is not there, or a value is no sensor, no time or no number.
    """
    fields = columns.of_fields(rows.place, rows.table.column_names)
    offset_remedy = (
        f"it must be a local time of {columns.zone} that occurs once, without an offset"
        if columns.zone
        else "it must be ISO 8601 with its offset from UTC; for local times give --zone"
    )
    readings = {
        SENSOR: _converted(rows, columns.sensor, _sensors, "a reading needs its sensor's id"),
        EVENT_TIME: _converted(rows, columns.time, lambda cells: _times(cells, columns.zone), offset_remedy),
    }
    for name, column in fields.items():
        remedy = "it must be a finite number or empty; choose the columns to send with --field name=column"
        readings[name] = _converted(rows, column, _numbers, remedy)
    return pa.table(readings)


def to_message(rows: Rows, columns: Columns) -> tuple[bytes | None, bytes]:
    """Return key and JSON of the first row, where what can't be converted stays as the file has it.

    The fog names what is wrong with it; a row without a sensor has no key.
    """
    converters: dict[str, tuple[str, Callable[[Cells], Cells]]] = {
        SENSOR: (columns.sensor, _sensors),
        EVENT_TIME: (columns.time, lambda cells: _times(cells, columns.zone)),
    }
    for name, column in columns.of_fields(rows.place, rows.table.column_names).items():
        converters[name] = (column, _numbers)
    reading: dict[str, Any] = {}
    key = None
    for name, (column, convert) in converters.items():
        cells = rows.table.column(column).combine_chunks().slice(0, 1)
        try:
            value = convert(cells)[0].as_py()
        except (pa.ArrowException, ValueError, OverflowError):
            value = _as_it_is(cells[0])
        else:
            key = value.encode() if name == SENSOR else key
        if value is not None:
            reading[name] = value if isinstance(value, int) or _is_finite(value) else _text(value)
    return key, json.dumps(reading, ensure_ascii=False).encode()


def _as_it_is(cell: Any) -> Any:
    try:
        return cell.as_py()
    except (ValueError, OverflowError):
        return cell.cast(pa.string()).cast(pa.binary()).as_py().decode(errors="backslashreplace")


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _converted(rows: Rows, column: str, convert: Callable[[Cells], Cells], remedy: str) -> Cells:
    cells = rows.table.column(column).combine_chunks()
    try:
        return convert(cells)
    except pa.ArrowException:
        row = _first_bad(cells, convert)
        raise ProducerError(
            f"{rows.place}, {rows.label(row)}, column {column!r}: {cells[row].as_py()!r} can't be read; {remedy}"
        ) from None


def _first_bad(cells: Cells, convert: Callable[[Cells], Cells]) -> int:
    first, n = 0, len(cells)
    while n > 1:
        try:
            convert(cells.slice(first, n // 2))
        except pa.ArrowException:
            n //= 2
        else:
            first, n = first + n // 2, n - n // 2
    return first


def _sensors(cells: Cells) -> Cells:
    sensors = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    if sensors.null_count or pc.any(pc.equal(sensors, pa.scalar(""))).as_py():
        raise pa.ArrowInvalid("no sensor")
    return sensors


def _times(cells: Cells, zone: str | None) -> Cells:
    if cells.null_count:
        raise pa.ArrowInvalid("no time")
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = pc.utf8_trim_whitespace(cells).cast(pa.timestamp("us", tz=None if zone else "UTC"))
    if not pa.types.is_timestamp(cells.type):
        raise pa.ArrowInvalid("no time")
    if (cells.type.tz is None) != (zone is not None):
        raise pa.ArrowInvalid("local where it must not be, or the other way round")
    if zone:
        cells = pc.assume_timezone(cells, zone)
    # Below a microsecond there is nothing to keep: sensors that fast are not meant.
    return cells.cast(EVENT_TIME_TYPE, safe=False)


def _numbers(cells: Cells) -> Cells:
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = pc.utf8_trim_whitespace(cells)
        cells = pc.if_else(pc.is_in(cells, pa.array(MISSING, cells.type)), None, cells)
    elif not (pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type) or pa.types.is_decimal(cells.type)):
        raise pa.ArrowInvalid("no numbers")
    numbers = cells.cast(pa.float64(), safe=False)
    if pc.any(pc.is_inf(numbers)).as_py():
        raise pa.ArrowInvalid("not finite")
    return pc.if_else(pc.is_nan(numbers), None, numbers)
