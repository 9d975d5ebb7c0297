"""From rows to records where no row may stop the rest: what can't be converted is sent as it is, and the fog judges."""

from collections.abc import Callable

from producer.conversion import Columns, Rows, to_message, to_readings
from producer.errors import ProducerError
from producer.readings import encode
from producer.spool import Message


def to_messages(rows: Rows, columns: Columns, complain: Callable[[str], None]) -> list[Message]:
    """Return a record of each row, in order.

    Parameters
    ----------
    complain
        Is told what is wrong with a row.
    """
    n_rows = rows.table.num_rows
    try:
        readings = to_readings(rows, columns)
        return [message for batch in readings.combine_chunks().to_batches() for message in encode(batch)]
    # Text that is no UTF-8 and times that Python doesn't know come as ValueError and OverflowError.
    except (ProducerError, ValueError, OverflowError) as error:
        if n_rows == 1:
            complain(str(error))
            return [to_message(rows, columns)]
    half = n_rows // 2
    first = Rows(rows.place, rows.table.slice(0, half), rows.label)
    second = Rows(rows.place, rows.table.slice(half), lambda row: rows.label(half + row))
    return [*to_messages(first, columns, complain), *to_messages(second, columns, complain)]
