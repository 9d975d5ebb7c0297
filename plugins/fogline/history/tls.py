"""TLS for a store whose driver knows no options for it, by the names that MongoDB's has."""

import ssl

from fogline.history.address import HistoryAddress
from fogline.history.errors import HistoryAddressError


def tls_context(address: HistoryAddress) -> ssl.SSLContext | None:
    """Return the context of an address with ``tls``; None without.

    Raises
    ------
    HistoryAddressError
        ``tlsCAFile`` or ``tlsCertificateKeyFile`` can't be read.
    """
    options = address.options
    if not address.flag("tls"):
        return None
    try:
        context = ssl.create_default_context(cafile=options.get("tlsCAFile"))
        if "tlsCertificateKeyFile" in options:
            context.load_cert_chain(options["tlsCertificateKeyFile"])
    except OSError as error:
        raise HistoryAddressError(f"{address.source}: its certificates can't be read: {error}") from error
    return context
