"""Serve a registry on FOGLINE_METRICS_PORT; without the variable nothing listens."""

import logging
import os

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, start_http_server

from fogline.errors import FoglineError
from fogline.metrics import ADDRESS_VARIABLE, PORT_VARIABLE

# In a container the scraper is another machine. The launcher gives the loopback address.
EVERYWHERE = "0.0.0.0"


class MetricsError(FoglineError):
    """A setting of the metrics is wrong; the message names it and the remedy."""


def serve_if_asked(registry: CollectorRegistry, log: logging.Logger) -> int | None:
    """Serve a registry with this process' own numbers, if FOGLINE_METRICS_PORT is set.

    A port that is taken is said in one line and costs the metrics only: readings and rounds are worth more.

    Returns
    -------
    int or None
        The port that is served.

    Raises
    ------
    MetricsError
        The variable is no port.
    """
    text = os.environ.get(PORT_VARIABLE)
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise MetricsError(f"{PORT_VARIABLE} is {text!r}; give it a port from 1 to 65535, or unset it for no metrics")
    ProcessCollector(registry=registry)
    # As many series again, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    address = os.environ.get(ADDRESS_VARIABLE) or EVERYWHERE
    try:
        start_http_server(int(text), address, registry)
    except OSError as error:
        log.error(
            "%s=%s: no metrics, for %s can't be listened on (%s); free the port or change the variable",
            PORT_VARIABLE,
            text,
            f"{address}:{text}",
            error.strerror,
        )
        return None
    log.info("metrics at http://%s:%s/metrics", address, text)
    return int(text)
