"""End a round in the ledger when a task finds that it can't get a model."""

from collections.abc import Iterator
from contextlib import contextmanager

from fogline.federation.settings import Federation
from fogline.ledger import rounds
from fogline.rounds.errors import RoundOver
from fogline.steps.services import Services, utc_now


@contextmanager
def ending_round(services: Services, federation: Federation, dag_run_id: str) -> Iterator[None]:
    """Record a round as failed, with the reason, when it is over; the branch is free for the next one at once.

    An interval on the chain keeps its model: then only the attempt to recompute it has failed.
    """
    try:
        yield
    except RoundOver as over:
        with services.ledger.transaction() as session:
            row = rounds.round_of_run(session, federation.federation, federation.branch, dag_run_id)
            if row is not None and row.is_open:
                rounds.end_round(row, rounds.FAILED, utc_now(), str(over))
        raise
