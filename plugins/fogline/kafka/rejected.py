"""Lists quarantined records, and sends repaired ones again: ``python -m fogline.kafka.rejected list|replay``.

The broker is the edge's: as FOGLINE_EDGE_KAFKA_BOOTSTRAP_SERVERS and FOGLINE_EDGE_KAFKA_CONFIG say, else as
FOGLINE_KAFKA_BOOTSTRAP_SERVERS and FOGLINE_KAFKA_CONFIG do.
"""

from pathlib import Path
from typing import Any

import click

from fogline.command_line import OneLineErrors
from fogline.kafka.clients import ClientConfig, edge_config_from_environment
from fogline.kafka.rejected_records import read_rejected, records_table
from fogline.kafka.repair import SavedFile, replay
from fogline.kafka.selection import Selection, list_options, replay_options


def list_rejected(config: ClientConfig, n_shown: int, save: Path | None, **asked: Any) -> str:
    """Return the newest records of a selection and the count of all by code; save all where asked.

    Raises
    ------
    FoglineError
        The topic can't be read, or the file not be written.
    """
    records = read_rejected(config, Selection(**asked))
    if save is None:
        return records_table(records, n_shown)
    file = SavedFile(save)
    table = records_table(file.each(records), n_shown)
    return f"{table}\n{file.told()}"


@click.group(cls=OneLineErrors, help=__doc__)
def main() -> None:
    """Do one of the two."""


@main.command("list")
@list_options
def list_command(**options: Any) -> None:
    """Show what was quarantined and why, newest last."""
    click.echo(list_rejected(edge_config_from_environment(), **options))


@main.command("replay")
@replay_options
def replay_command(file: Path, as_is: bool) -> None:
    """Send the repaired records of FILE, which list --save wrote, again to where they came from."""
    click.echo(replay(edge_config_from_environment(), file, as_is=as_is))


if __name__ == "__main__":
    main(prog_name="python -m fogline.kafka.rejected")
