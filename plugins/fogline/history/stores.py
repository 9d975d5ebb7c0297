"""Open the history that an address names."""

from fogline.history.address import HistoryAddress
from fogline.history.base import History


def open_history(address: HistoryAddress) -> History:
    """Open a history; its driver is imported only now.

    Raises
    ------
    HistoryAddressError
        The address can't be used.
    HistoryDown, HistoryRefused
        The store does not answer, or not to this login.
    """
    if address.kind == "cassandra":
        from fogline.history.cassandra import CassandraHistory

        return CassandraHistory(address)
    from fogline.history.mongo import MongoHistory

    return MongoHistory(address)
