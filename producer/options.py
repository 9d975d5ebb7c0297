"""The command line's options that several sources share, and the kinds of value they take."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fogline.command_line import Moment
from fogline.kafka.topics import SENSOR_DATA

MEBIBYTE = 2**20

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Speed(click.ParamType[float]):
    """Event seconds per real second; ``max`` is infinite."""

    name = "max|FACTOR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse a speed."""
        try:
            speed = math.inf if value == "max" else float(value)
        except ValueError:
            speed = math.nan
        if not speed > 0:
            self.fail(f"{value!r} is no speed; give max or a number above zero", param, ctx)
        return speed


class NamedColumn(click.ParamType[tuple[str, str]]):
    """A field and the column it comes from."""

    name = "FIELD=COLUMN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Parse a pair."""
        name, separator, column = value.partition("=")
        if not (name and separator and column):
            self.fail(f"{value!r} names no field and column; write it as power=P_avg", param, ctx)
        return name, column


class Character(click.ParamType[str]):
    """One character."""

    name = "character"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check a character."""
        if len(value) != 1:
            self.fail(f"{value!r} is not one character", param, ctx)
        return str(value)


def _all(*options: Decorator) -> Decorator:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


kafka_options = _all(
    click.option("--topic", default=SENSOR_DATA, show_default=True, help="Where the readings go."),
    click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="FOGLINE_PRODUCER_STATE",
        show_envvar=True,
        required=True,
        help="Folder that remembers how far each stream was sent, and holds what waits for Kafka.",
    ),
    click.option(
        "--replay",
        "is_replay",
        is_flag=True,
        help="These readings are history that is loaded afterwards: fogs don't call them late.",
    ),
)

stream_options = _all(
    kafka_options,
    click.option(
        "--speed",
        type=Speed(),
        default="max",
        show_default=True,
        help="Event seconds per real second. Made-up readings are never sent ahead of the clock.",
    ),
    click.option("--from", "start", type=Moment(), help="The first event time to send (without an offset: UTC)."),
    click.option("--to", "end", type=Moment(), help="The event time to end before."),
    click.option(
        "--deadline",
        "deadline_s",
        type=click.FloatRange(min=1),
        default=60,
        show_default=True,
        help="Seconds that Kafka may take to answer at the start, and to acknowledge a reading.",
    ),
)

live_options = _all(
    kafka_options,
    click.option(
        "--spool-max-bytes",
        type=click.IntRange(min=MEBIBYTE),
        default=1024 * MEBIBYTE,
        show_default=True,
        help="How much may wait on the disk for Kafka; then nothing more is taken from the source.",
    ),
)

column_options = _all(
    click.option("--sensor-column", default="sensor_id", show_default=True, help="The column with the sensor's id."),
    click.option("--time-column", default="event_time", show_default=True, help="The column with the event time."),
    click.option("--zone", help="Where the times carry no offset: the time zone they are local to, as Europe/Paris."),
    click.option(
        "--field",
        "fields",
        type=NamedColumn(),
        multiple=True,
        help="A field to send and its column; repeat it. Without any, every other column is sent.",
    ),
)

delimiter_option = click.option(
    "--delimiter", type=Character(), default=",", show_default=True, help="The character between columns."
)

file_options = _all(
    click.argument(
        "paths",
        nargs=-1,
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="PATH...",
    ),
    column_options,
)


def folder_options(pattern: str) -> Decorator:
    """Return the options of a folder whose files match a pattern."""
    return _all(
        click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path)),
        click.option(
            "--pattern", default=pattern, show_default=True, help="Which files; **/ looks into folders below."
        ),
        click.option(
            "--every",
            "every_s",
            type=click.FloatRange(min=0.01),
            default=5,
            show_default=True,
            help="Seconds between two looks at the folder.",
        ),
        column_options,
    )
