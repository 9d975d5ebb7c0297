"""Which quarantined records a person asks for, and the options to say it."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fogline.command_line import Moment

if TYPE_CHECKING:
    from fogline.kafka.quarantine import Quarantined


@dataclass(frozen=True)
class Selection:
    """What must hold of a record; None asks for nothing."""

    federation: str | None = None
    fog: str | None = None
    sensor: str | None = None
    code: str | None = None
    since: dt.datetime | None = None

    def takes(self, why: "Quarantined", sensor: str, at: dt.datetime) -> bool:
        """Say whether a record is asked for that was quarantined ``at`` this time."""
        pairs = (
            (self.federation, why.federation),
            (self.fog, why.fog),
            (self.sensor, sensor),
            (self.code, why.code),
        )
        return all(asked in (None, found) for asked, found in pairs) and (self.since is None or at >= self.since)


def list_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of a selection, how many to show and where to save."""
    file = click.Path(dir_okay=False, path_type=Path)
    options = (
        click.option("--federation", metavar="NAME", help="Only this federation's."),
        click.option("--fog", metavar="NAME", help="Only this fog's."),
        click.option("--sensor", metavar="ID", help="Only those with this key."),
        click.option("--code", metavar="CODE", help="Only those with this reason code."),
        click.option("--since", type=Moment(), help="Quarantined since (without an offset: UTC)."),
        click.option(
            "-n", "n_shown", default=50, show_default=True, type=click.IntRange(1), help="How many to show, the newest."
        ),
        click.option("--save", type=file, metavar="FILE", help="Also write all that match to FILE, to repair them."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def replay_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the file of repaired records."""
    as_is = "Send unchanged lines too: after the federation's rules were put right."
    command = click.option("--as-is", is_flag=True, help=as_is)(command)
    return click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))(command)
