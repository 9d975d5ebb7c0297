"""Do as the official image does: a node that every client in the network reaches, without logins."""

import os
import socket
import sys
from pathlib import Path

import yaml
from cassandra import Cassandra

DATA = Path("/var/lib/cassandra")
NATIVE_PORT = 9042


def main() -> None:
    node = Cassandra(DATA, Path(os.environ["FOGLINE_TOOLS"]))
    if "--fetch" in sys.argv:
        node.command(DATA / "cassandra.yaml")
        return
    node.port = NATIVE_PORT
    open_to_all = {
        "authenticator": "AllowAllAuthenticator",
        "authorizer": "AllowAllAuthorizer",
        "rpc_address": "0.0.0.0",
        "broadcast_rpc_address": socket.gethostbyname(socket.gethostname()),
        "cluster_name": os.environ["CASSANDRA_CLUSTER_NAME"],
    }
    settings = DATA / "cassandra.yaml"
    settings.write_text(yaml.safe_dump(node.settings() | open_to_all))
    command = node.command(settings)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
