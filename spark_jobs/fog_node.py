"""Run fog nodes: ingest readings and answer plans until told to end.

``spark-submit spark_jobs/fog_node.py --federation wind_farm --fog fog-1 [--fog fog-2 …]``
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from fogline.errors import FoglineError
from fogline.federation import Federation, federations_folder
from spark_jobs.fog.application import Application
from spark_jobs.fog.environment import Environment, load_fogs
from spark_jobs.fog.memory import go_without_pandas
from spark_jobs.fog.topics import await_topics

LOG = logging.getLogger("fog_node")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal (returns 0); a wrong setting, a dead query or a dead thread returns 1."""
    arguments = _parse(argv)
    _log_to_stderr()
    go_without_pandas()
    try:
        federation = load_fogs(arguments.federations, arguments.federation, arguments.fog)
        fault = _run(federation, arguments.fog, Environment.read())
    except FoglineError as error:
        fault = str(error)
    if fault:
        LOG.error("%s", fault)
        return 1
    LOG.info("ended")
    return 0


def _run(federation: Federation, fogs: Sequence[str], environment: Environment) -> str | None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    await_topics(environment, {federation.fogs[fog].topic for fog in fogs}, ended)
    return None if ended.is_set() else Application(federation, fogs, environment, ended).run()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run fog nodes: ingest readings and answer plans.")
    parser.add_argument("--federation", required=True, help="name of the federation's file, without .yaml")
    parser.add_argument("--fog", required=True, action="append", help="a fog of that file; may be given again")
    parser.add_argument("--federations", type=Path, default=federations_folder(), help="folder (%(default)s)")
    return parser.parse_args(argv)


def _log_to_stderr() -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)sZ %(levelname)s %(name)s: %(message)s", force=True)
    # It reports each call to Java.
    logging.getLogger("py4j").setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
