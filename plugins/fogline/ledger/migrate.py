"""Bring the ledger's tables to this version, by Alembic.

``python -m fogline.ledger.migrate`` does it to the database that FOGLINE_LEDGER_URL names.
"""

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import SQLAlchemyError

from fogline.ledger import URL_VARIABLE

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for a ledger at ``url``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Create or upgrade the tables; nothing happens when they are up to date."""
    command.upgrade(alembic_config(url), "head")


def main() -> int:
    """Upgrade the ledger of the environment; return the exit status."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        print(f"{URL_VARIABLE} is not set; give it postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE", file=sys.stderr)
        return 1
    try:
        upgrade(url)
    except SQLAlchemyError as error:
        # Its further lines are SQL and addresses of documentation.
        print(f"the ledger of {URL_VARIABLE} can't be upgraded: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    print("the ledger's tables are of this version")
    return 0


if __name__ == "__main__":
    sys.exit(main())
