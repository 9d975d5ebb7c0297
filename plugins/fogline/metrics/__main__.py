"""Serve what the ledger knows: ``python -m fogline.metrics --port 9108`` with FOGLINE_LEDGER_URL."""

import logging
import os
import signal
import sys
import threading

import click
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from sqlalchemy.exc import SQLAlchemyError

from fogline.ledger import URL_VARIABLE
from fogline.metrics.collector import LedgerCollector

LOG = logging.getLogger("exporter")


@click.command(help=__doc__)
@click.option("--port", type=click.IntRange(1, 65535), default=9108, show_default=True)
@click.option("--address", default="0.0.0.0", show_default=True, help="Where to listen.")
def main(port: int, address: str) -> None:
    """Serve until a signal."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    url = os.environ.get(URL_VARIABLE)
    if not url:
        raise click.ClickException(f"{URL_VARIABLE} is not set; give it postgresql://user:password@host:port/database")
    registry = CollectorRegistry()
    try:
        registry.register(LedgerCollector(url))
    except (SQLAlchemyError, ImportError) as error:
        raise click.ClickException(f"{URL_VARIABLE} is no address that can be used: {error}") from error
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, address, registry)
    except OSError as error:
        raise click.ClickException(f"--port {port}: can't listen on {address}:{port} ({error.strerror})") from error
    LOG.info("metrics at http://%s:%d/metrics", address, port)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.shutdown()
    thread.join()


if __name__ == "__main__":
    sys.exit(main())
