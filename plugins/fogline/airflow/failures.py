"""How Fogline's errors end an Airflow task: what can't get better by waiting fails at once, the rest is retried."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from fogline.artifacts import StoreUnwritable
from fogline.errors import FoglineError
from fogline.history.errors import HistoryDown
from fogline.kafka.clients import KafkaLayerError
from fogline.ledger.database import LedgerUnreachable
from fogline.rounds.errors import RoundBusy

LOG = logging.getLogger(__name__)
# Everything else that Fogline raises on purpose is permanent: it takes a person to change something first.
PASSING = (HistoryDown, KafkaLayerError, LedgerUnreachable, RoundBusy, StoreUnwritable)


@contextmanager
def airflow_failures() -> Iterator[None]:
    """Turn Fogline's errors into Airflow's; the message is a line of the task's log, not only in its traceback."""
    try:
        yield
    except FoglineError as error:
        LOG.error("%s", error)
        ended = AirflowException if isinstance(error, PASSING) else AirflowFailException
        # Where in Fogline it was raised says nothing that the message does not.
        raise ended(str(error)) from None
