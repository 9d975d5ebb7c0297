"""Publish sensor readings on Kafka; a stream goes on where it stopped.

FOGLINE_KAFKA_BOOTSTRAP_SERVERS gives the broker as host:port.
"""

import logging
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from fogline.command_line import OneLineErrors
from fogline.kafka.clients import config_from_environment
from producer.conversion import Columns
from producer.live_commands import csv_folder, mqtt, parquet_folder
from producer.options import delimiter_option, file_options, stream_options
from producer.readings import Source, Span
from producer.run import Stream, run, stop_on_signals
from producer.sources.csv_files import csv_files
from producer.sources.la_haute_borne import la_haute_borne as la_haute_borne_source
from producer.sources.parquet_files import parquet_files
from producer.sources.synthetic import synthetic as synthetic_source


class StreamOptions(TypedDict):
    """What `stream_options` gives."""

    topic: str
    speed: float
    start: datetime | None
    end: datetime | None
    deadline_s: float
    state: Path
    is_replay: bool


class FileOptions(StreamOptions):
    """What `file_options` gives besides."""

    paths: tuple[Path, ...]
    sensor_column: str
    time_column: str
    zone: str | None
    fields: tuple[tuple[str, str], ...]


@click.group(cls=OneLineErrors, help=__doc__)
def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


@main.command("la_haute_borne")
@stream_options
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="FOGLINE_CACHE",
    show_envvar=True,
    required=True,
    help="Folder that keeps the download.",
)
def la_haute_borne(cache: Path, **options: Unpack[StreamOptions]) -> None:
    """Replay two years of four wind turbines (ENGIE open data, Licence Ouverte 2.0)."""
    _publish(la_haute_borne_source(cache), options)


@main.command()
@file_options
@delimiter_option
@stream_options
def csv(delimiter: str, **options: Unpack[FileOptions]) -> None:
    """Replay CSV files, all merged in the order of event time."""
    _publish(csv_files(options["paths"], _columns(options), delimiter), options)


@main.command()
@file_options
@stream_options
def parquet(**options: Unpack[FileOptions]) -> None:
    """Replay Parquet files, all merged in the order of event time."""
    _publish(parquet_files(options["paths"], _columns(options)), options)


@main.command()
@click.option("--sensor", "sensors", multiple=True, required=True, help="A sensor's id; repeat it.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=0.001),
    default=10,
    show_default=True,
    help="Seconds between readings.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed is another farm in other weather.")
@stream_options
def synthetic(sensors: tuple[str, ...], every_s: float, seed: int, **options: Unpack[StreamOptions]) -> None:
    """Make up a wind farm's readings: from --from (else from now on), for ever unless --to is given.

    Readings of the past are sent at --speed, those after them as they come into being. The same seed gives the same
    readings at the same times.
    """
    _publish(synthetic_source(sorted(set(sensors)), every_s, seed), options)


for command in (mqtt, csv_folder, parquet_folder):
    main.add_command(command)


def _columns(options: FileOptions) -> Columns:
    return Columns(options["sensor_column"], options["time_column"], dict(options["fields"]), options["zone"])


def _publish(source: Source, options: StreamOptions) -> None:
    start, end = options["start"], options["end"]
    if start and end and start >= end:
        raise click.BadParameter(f"{end.isoformat()} is not after --from {start.isoformat()}", param_hint="--to")
    stream = Stream(
        options["topic"],
        Span(start, end),
        options["speed"],
        options["deadline_s"],
        options["state"],
        options["is_replay"],
    )
    with stop_on_signals() as stop:
        run(source, stream, config_from_environment(), stop)


if __name__ == "__main__":
    main()
