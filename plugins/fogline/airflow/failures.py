"""How Fogline's errors end an Airflow task: what can't get better by waiting fails at once, the rest is retried."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from fogline.errors import FoglineError
from fogline.kafka.clients import KafkaLayerError
from fogline.ledger.database import LedgerUnreachable
from fogline.rounds.errors import RoundBusy

# Everything else that Fogline raises on purpose is permanent: it takes a person to change something first.
PASSING = (KafkaLayerError, LedgerUnreachable, RoundBusy)


@contextmanager
def airflow_failures() -> Iterator[None]:
    """Turn Fogline's errors into Airflow's, with the message as the task's last word."""
    try:
        yield
    except PASSING as error:
        raise AirflowException(str(error)) from error
    except FoglineError as error:
        raise AirflowFailException(str(error)) from error
