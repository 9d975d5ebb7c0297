"""Where a history lies: written as one URI (``FOGLINE_HISTORY``) or as an Airflow connection (``fogline_history``)."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from fogline.history.errors import HistoryAddressError

VARIABLE = "FOGLINE_HISTORY"
KINDS = {"cassandra": "keyspace", "mongo": "database"}
_SCHEMES = {"cassandra": "cassandra", "mongodb": "mongo", "mongodb+srv": "mongo"}
_URI = re.compile(
    r"(?P<scheme>[a-z+]+)://(?:(?P<login>[^:@/]*)(?::(?P<password>[^@/]*))?@)?"
    r"(?P<hosts>[^/?@]+)(?:/(?P<schema>[^?]*))?(?:\?(?P<options>.*))?"
)
_HOST = re.compile(r"(?P<name>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class HistoryAddress:
    """Where a history lies.

    Attributes
    ----------
    source
        What errors call the address: the variable or the connection.
    kind
        One of :data:`KINDS`.
    hosts
        Name and port; None is the kind's own port.
    schema
        The keyspace or database.
    """

    source: str
    kind: str
    hosts: tuple[tuple[str, int | None], ...]
    schema: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what every kind needs."""
        if self.kind not in KINDS:
            raise HistoryAddressError(
                f"{self.source}: {self.kind!r} is no kind of history store; it is one of {', '.join(KINDS)}"
            )
        if not self.hosts:
            raise HistoryAddressError(f"{self.source}: it names no host; give one, or several separated by commas")
        if not self.schema:
            named = KINDS[self.kind]
            raise HistoryAddressError(
                f"{self.source}: it names no {named}; give it as the connection's schema, in a URI behind the host "
                f"({'mongodb' if self.kind == 'mongo' else self.kind}://host/{named})"
            )

    @property
    def place(self) -> str:
        """The address for people."""
        return f"{','.join(_written(*host) for host in self.hosts)}/{self.schema}"

    def flag(self, name: str) -> bool:
        """Tell whether an option is switched on."""
        return str(self.options.get(name, False)).lower() in ("true", "1", "yes")

    def allow(self, names: Iterable[str]) -> None:
        """Check that no other option is given."""
        unknown = sorted(set(self.options) - set(names))
        if unknown:
            raise HistoryAddressError(f"{self.source}: unknown option {unknown[0]}; there are: {', '.join(names)}")

    def mongo_hosts(self) -> list[str]:
        """Return the hosts as pymongo wants them."""
        if self.flag("srv"):
            return [f"mongodb+srv://{self.hosts[0][0]}"]
        return [_written(*host) for host in self.hosts]

    def connection(self) -> dict[str, Any]:
        """Return the address as the fields of an Airflow connection."""
        fields = {
            "conn_type": self.kind,
            "host": ",".join(_written(*host) for host in self.hosts),
            "schema": self.schema,
            "login": self.login,
            "password": self.password,
            "extra": self.options,
        }
        return {name: value for name, value in fields.items() if value}


def named_history() -> HistoryAddress | None:
    """Return where the models' history lies, by the environment; None when it names nothing.

    Raises
    ------
    HistoryAddressError
        What it names is no address.
    """
    uri = os.environ.get(VARIABLE)
    return from_uri(uri) if uri else None


def from_uri(uri: str, source: str = VARIABLE) -> HistoryAddress:
    """Read ``cassandra://user:password@host:port/keyspace`` or ``mongodb://…/database``.

    Raises
    ------
    HistoryAddressError
        It is no such URI.
    """
    found = _URI.fullmatch(uri.strip())
    if found is None:
        raise HistoryAddressError(
            f"{source}: it is no address of a history; write cassandra://user:password@host:9042/keyspace or "
            "mongodb://user:password@host:27017/database, with %40 for an @ in a password"
        )
    scheme = found["scheme"]
    options: dict[str, Any] = dict(parse_qsl(found["options"] or "", keep_blank_values=True))
    if scheme == "mongodb+srv":
        options["srv"] = True
    login, password, schema = (unquote(found[name] or "") or None for name in ("login", "password", "schema"))
    return HistoryAddress(
        source, kind_of(scheme), hosts_in(found["hosts"], None, source), schema or "", login, password, options
    )


def kind_of(name: str) -> str:
    """Return the kind that a URI's scheme or a connection's type names; an unknown name stays as it is."""
    return _SCHEMES.get(name, name)


def hosts_in(text: str, port: int | None, source: str) -> tuple[tuple[str, int | None], ...]:
    """Read hosts separated by commas; ``port`` is that of those that name none.

    Raises
    ------
    HistoryAddressError
        One is no host.
    """
    hosts = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        found = _HOST.fullmatch(part)
        if found is None:
            raise HistoryAddressError(f"{source}: {part!r} is no host; write name or name:port")
        hosts.append((found["name"].strip("[]"), int(found["port"]) if found["port"] else port))
    return tuple(hosts)


def _written(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"
