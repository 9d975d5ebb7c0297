"""Alembic's entry: run the migrations on the ledger's own connection."""

from alembic import context
from sqlalchemy import create_engine

from fogline.ledger.schema import Base

url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
with create_engine(url).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table="fogline_version",
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
