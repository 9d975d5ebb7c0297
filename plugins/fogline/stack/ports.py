"""Checks before anything starts that the stack's ports are free."""

import random
import socket
from collections.abc import Mapping

import psutil

from fogline.stack.errors import StackError
from fogline.stack.settings import HOST

CLIENT_FREE_PORTS = range(20000, 32000)


def listening(port: int) -> bool:
    """Return whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_ports(n_ports: int) -> list[int]:
    """Return free ports below the range from which systems give ports to clients, so that none is gone in a moment."""
    found: list[int] = []
    for port in random.sample(CLIENT_FREE_PORTS, len(CLIENT_FREE_PORTS)):
        if len(found) == n_ports:
            break
        if _free(port):
            found.append(port)
    return found


def require_free(ports: Mapping[str, int]) -> None:
    """Check that each port can be bound and no two are the same.

    Parameters
    ----------
    ports
        Port by the environment variable that changes it.

    Raises
    ------
    StackError
        Naming every port that is taken, who holds it where that can be seen, and the variable to change.
    """
    complaints = []
    for variable, port in ports.items():
        twins = [other for other, number in ports.items() if number == port and other < variable]
        if twins:
            complaints.append(f"port {port} is given twice: change {variable} or {twins[0]}")
        elif not _free(port):
            complaints.append(f"port {port} is taken{_holder(port)}: end that process or set {variable} to a free port")
    if complaints:
        raise StackError("; ".join(complaints))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers themselves do, so that connections in TIME_WAIT of the last run don't count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
            return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
