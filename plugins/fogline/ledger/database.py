"""Open the ledger's database; one transaction is one `with` block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from fogline.errors import FoglineError


class LedgerError(FoglineError):
    """The ledger does not hold what was asked for, or refuses to be changed so."""


class LedgerUnreachable(FoglineError):
    """The ledger's database does not answer; trying again may do."""


class Ledger:
    """The ledger at a SQLAlchemy URL (Postgres; SQLite in unit tests)."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url, pool_pre_ping=True)
        if self.engine.dialect.name == "sqlite":
            _behave_like_postgres(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session, commit it in the end, roll it back on an error.

        Raises
        ------
        LedgerUnreachable
            The database does not answer.
        """
        try:
            with (
                Session(self.engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session
        except OperationalError as error:
            where = self.engine.url.render_as_string(hide_password=True)
            reason = str(error.orig).strip().splitlines()[0]
            raise LedgerUnreachable(f"the ledger at {where} does not answer: {reason}; is Postgres up?") from error


def _behave_like_postgres(engine: Engine) -> None:
    """Have SQLite keep foreign keys, lock when a transaction begins instead of at its first write, and count bytes."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.create_function("octet_length", 1, lambda text: None if text is None else len(text.encode()))

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
