"""Databases of a test's own on the session's Postgres."""

import uuid

import sqlalchemy


def new_database(server_url: str) -> str:
    """Create an empty database and return its SQLAlchemy address."""
    url = sqlalchemy.make_url(server_url)
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    with sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    return url.set(database=name).render_as_string(hide_password=False)
