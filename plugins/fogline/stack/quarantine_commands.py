"""The verbs for quarantined records, on the running stack's broker."""

from pathlib import Path
from typing import Any

import click

from fogline.kafka.selection import list_options, replay_options
from fogline.stack.branch_commands import running_stack
from fogline.stack.commands import main


@main.command()
@list_options
def rejected(**options: Any) -> None:
    """Show which records the fogs quarantined and why, newest last."""
    from fogline.kafka.rejected import list_rejected

    click.echo(list_rejected(_broker(), **options))


@main.command()
@replay_options
def replay(file: Path, as_is: bool) -> None:
    """Send the repaired records of FILE, which rejected --save wrote, again to where they came from."""
    from fogline.kafka import repair

    click.echo(repair.replay(_broker(), file, as_is=as_is))


def _broker() -> dict[str, str]:
    return {"bootstrap.servers": running_stack("Kafka").settings.bootstrap_servers}
