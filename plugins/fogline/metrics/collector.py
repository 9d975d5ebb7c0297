"""The exporter's collector: reads the ledger at each scrape, within a time that is bounded, and never raises."""

import logging
import threading
import time
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fogline.errors import FoglineError
from fogline.ledger.database import Ledger
from fogline.ledger.history import branches_of
from fogline.ledger.rounds import OUTCOMES
from fogline.ledger.schema import HeadMove, Round
from fogline.metrics.answers import UNKNOWN, answer_counts, last_round_samples
from fogline.metrics.branch import head_samples, round_samples, score_samples
from fogline.metrics.families import FAMILIES, Sample, empty_family, metric_families
from fogline.rounds.judge import Verdict

LOG = logging.getLogger(__name__)
# Prometheus gives a scrape ten seconds; a ledger that takes longer than this is down for it.
READ_TIMEOUT_S = 8.0
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 4_000
POSTGRES = "postgresql"


class TookTooLong(FoglineError):
    """The ledger answers, but not in the time that a scrape has."""


class LedgerCollector(Collector):
    """Reads the ledger at each scrape.

    Parameters
    ----------
    url
        SQLAlchemy address of the ledger; nothing is written there.
    """

    def __init__(self, url: str) -> None:
        self._ledger = Ledger(with_connect_timeout(url))
        # Two Prometheus servers may scrape at once; the ledger is read by one after the other.
        self._reading = threading.Lock()
        self._said = ""

    def describe(self) -> Iterator[Metric]:
        """Return the families without values, so that registering reads nothing."""
        for name, family in FAMILIES.items():
            yield empty_family(name, family)

    def collect(self) -> Iterator[Metric]:
        """Read the ledger; one that does not answer in time is `fogline_ledger_up 0` and one line in the log."""
        started = time.monotonic()
        try:
            with self._reading, self._ledger.transaction() as session:
                limit(session)
                samples = list(_within(started, read(session)))
            self._say("")
        except (FoglineError, SQLAlchemyError) as error:
            samples = []
            self._say(str(error).splitlines()[0])
        up = Sample("fogline_ledger_up", (), float(not self._said))
        took = Sample("fogline_ledger_read_seconds", (), time.monotonic() - started)
        yield from metric_families([up, took, *samples])

    def _say(self, fault: str) -> None:
        if fault and fault != self._said:
            LOG.error("no numbers of the ledger: %s", fault)
        elif self._said and not fault:
            LOG.info("the ledger answers again")
        self._said = fault


def with_connect_timeout(url: str) -> str:
    """Return the address with the time that a connection to Postgres may take."""
    parsed = make_url(url)
    if parsed.get_backend_name() == POSTGRES:
        parsed = parsed.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_S)})
    return parsed.render_as_string(hide_password=False)


def limit(session: Session) -> None:
    """Have the transaction only read, and each of its statements end in time."""
    if session.get_bind().dialect.name == POSTGRES:
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(text(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}"))


def read(session: Session) -> Iterator[Sample]:
    """Yield all that the ledger tells; `FAMILIES` says what each is."""
    now_ms = time.time() * 1000
    outcomes, moves, verdicts = _outcomes(session), _moves(session), answer_counts(session)
    with_head = {federation for federation, _, _ in moves}
    branches = {(federation, branch) for federation, branch, _ in outcomes}
    branches |= {(federation, branch) for federation in with_head for branch in branches_of(session, federation)}
    for federation, branch in sorted(branches):
        for outcome in OUTCOMES:
            outcomes.setdefault((federation, branch, outcome), 0)
        yield from round_samples(session, federation, branch)
        yield from head_samples(session, federation, branch)
        for sample in last_round_samples(session, federation, branch, now_ms):
            yield sample
            if sample.name == "fogline_rounds_without_update_in_a_row":
                for verdict in Verdict:
                    verdicts.setdefault((*sample.labels, verdict.value), 0)  # type: ignore[arg-type]
        yield from score_samples(session, federation, branch)
    counts = {"fogline_rounds": outcomes, "fogline_head_moves_total": moves, "fogline_answers": verdicts}
    for name, values in counts.items():
        for labels, n in values.items():  # type: ignore[attr-defined]
            yield Sample(name, labels, n)


def _outcomes(session: Session) -> dict[tuple[str, str, str], int]:
    outcome = func.coalesce(Round.outcome, UNKNOWN)
    query = select(Round.federation, Round.branch, outcome.label("ended"), func.count()).where(~Round.is_open)
    rows = session.execute(query.group_by(Round.federation, Round.branch, "ended"))
    return {(federation, branch, ended): n for federation, branch, ended, n in rows}


def _moves(session: Session) -> dict[tuple[str, str, str], int]:
    keys = (HeadMove.federation, HeadMove.branch, HeadMove.reason)
    rows = session.execute(select(*keys, func.count()).group_by(*keys))
    return {(federation, branch, reason.replace(" ", "_")): n for federation, branch, reason, n in rows}


def _within(started: float, samples: Iterator[Sample]) -> Iterator[Sample]:
    for sample in samples:
        if time.monotonic() - started > READ_TIMEOUT_S:
            raise TookTooLong(f"reading the ledger took more than {READ_TIMEOUT_S:g} s; look at its load")
        yield sample
