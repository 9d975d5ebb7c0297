"""The verb for the models' history."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fogline.history.address import named_history
from fogline.stack.branch_commands import Place, federation_option, write_file
from fogline.stack.commands import main, make_stack
from fogline.versions import MAIN, parse_version

if TYPE_CHECKING:
    from fogline.history.base import History


@main.command()
@click.argument("branch", default=MAIN)
@click.option(
    "--export",
    nargs=2,
    type=(str, click.Path(dir_okay=False, path_type=Path)),
    metavar="VERSION FILE",
    help="Write a version's weights to a .safetensors file instead.",
)
@federation_option
def history(branch: str, export: tuple[str, Path] | None, federation: str | None) -> None:
    """Show the versions of BRANCH (main by default) with scores and digests.

    They are read from the Cassandra or MongoDB that FOGLINE_HISTORY names (cassandra://user:password@host/keyspace,
    mongodb://host/database), else from the ledger.
    """
    from fogline.history.table import history_table

    opened, name = _open(federation)
    with opened:
        if export is None:
            click.echo(history_table(opened, name, branch))
            return
        version, file = parse_version(export[0], branch), export[1]
        write_file(file, opened.weights(name, version))
    click.echo(f"Written: {file}, the weights of {version} of {name}")


def _open(federation: str | None) -> tuple["History", str]:
    address = named_history()
    if address is None:
        from fogline.history.ledger import LedgerHistory

        place = Place(federation)
        return LedgerHistory(place.services.ledger, place.services.store), place.name
    from fogline.history.stores import open_history

    return open_history(address), federation or make_stack().settings.federation
