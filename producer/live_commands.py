"""The commands for sources without an end: an MQTT broker, and folders that keep growing."""

import os
from pathlib import Path
from typing import TypedDict, Unpack

import click

from fogline.kafka.clients import config_from_environment
from producer.conversion import Columns
from producer.live import LiveSource, LiveStream, run_live
from producer.options import delimiter_option, folder_options, live_options
from producer.run import stop_on_signals
from producer.sources.arriving_parquet import ArrivingParquet
from producer.sources.folder import FolderSource
from producer.sources.growing import Kind
from producer.sources.growing_csv import GrowingCsv
from producer.sources.mqtt import MqttSource
from producer.sources.mqtt_session import Session, Tls, key_of_payload, level_of_topic

PASSWORD_VARIABLE = "FOGLINE_MQTT_PASSWORD"
PORT, TLS_PORT = 1883, 8883

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class LiveOptions(TypedDict):
    """What `live_options` gives."""

    topic: str
    state: Path
    spool_max_bytes: int
    is_replay: bool


class FolderOptions(LiveOptions):
    """What `folder_options` gives besides."""

    folder: Path
    pattern: str
    every_s: float
    sensor_column: str
    time_column: str
    zone: str | None
    fields: tuple[tuple[str, str], ...]


class MqttOptions(LiveOptions):
    """What says where the broker is, and as whom to go there."""

    host: str
    port: int | None
    protocol: str
    client_id: str
    user: str | None
    password_file: Path | None
    tls: bool
    ca_file: Path | None
    certificate: Path | None
    key: Path | None


@click.command()
@click.option("--host", required=True, help="The MQTT broker.")
@click.option("--port", type=click.IntRange(1, 65535), help=f"[default: {PORT}, with TLS {TLS_PORT}]")
@click.option("--topic-filter", "filters", multiple=True, required=True, help="As farm/+/readings; repeat it.")
@click.option(
    "--sensor-level", type=click.IntRange(min=1), help="The level of the MQTT topic that is the sensor's id, from 1."
)
@click.option("--sensor-key", help="The key of the JSON that is the sensor's id.  [default: sensor_id]")
@click.option("--client-id", default="fogline-producer", show_default=True, help="The session's name at the broker.")
@click.option("--protocol", type=click.Choice(["5", "3.1.1"]), default="5", show_default=True)
@click.option("--user", help=f"Its password: {PASSWORD_VARIABLE}, or --password-file.")
@click.option("--password-file", type=FILE, help="A file with the password alone.")
@click.option("--tls", is_flag=True, help="Encrypt; also asked for by any of the next three.")
@click.option("--ca-file", type=FILE, help="The authorities to trust, as PEM.  [default: the machine's]")
@click.option("--certificate", type=FILE, help="This client's certificate, as PEM.")
@click.option("--key", type=FILE, help="Its key, as PEM.")
@live_options
def mqtt(
    filters: tuple[str, ...], sensor_level: int | None, sensor_key: str | None, **options: Unpack[MqttOptions]
) -> None:
    """Send what an MQTT broker gets, as the bytes that came.

    The session outlives this program: while it is away the broker keeps what it is to get (published at QoS 1 or 2).
    A message is acknowledged when it lies on the disk here.
    """
    if sensor_level and sensor_key:
        raise click.UsageError("give --sensor-level or --sensor-key, not both")
    sensor_of = level_of_topic(sensor_level) if sensor_level else key_of_payload(sensor_key or "sensor_id")
    _publish(MqttSource(_session(options), list(dict.fromkeys(filters)), sensor_of), options)


def _session(options: MqttOptions) -> Session:
    tls = None
    if (options["certificate"] is None) != (options["key"] is None):
        raise click.UsageError("--certificate and --key need each other")
    if options["tls"] or options["ca_file"] or options["certificate"]:
        tls = Tls(options["ca_file"], options["certificate"], options["key"])
    file = options["password_file"]
    password = file.read_text().rstrip("\r\n") if file else os.environ.get(PASSWORD_VARIABLE)
    if password and options["user"] is None:
        raise click.UsageError("a password needs its --user")
    return Session(
        options["host"],
        options["port"] or (TLS_PORT if tls else PORT),
        options["client_id"],
        options["protocol"] == "5",
        options["user"],
        password,
        tls,
    )


@click.command("csv-folder")
@folder_options("*.csv")
@delimiter_option
@live_options
def csv_folder(delimiter: str, **options: Unpack[FolderOptions]) -> None:
    """Send the CSV files of a folder, and the files and lines that are added to it.

    A line is sent when its end is there. A row that can't be converted is sent as it is: the fog says what is wrong.
    """
    _follow(GrowingCsv(_columns(options), delimiter), options)


@click.command("parquet-folder")
@folder_options("*.parquet")
@live_options
def parquet_folder(**options: Unpack[FolderOptions]) -> None:
    """Send the Parquet files of a folder, and those that are added to it, each when it is complete."""
    _follow(ArrivingParquet(_columns(options)), options)


def _columns(options: FolderOptions) -> Columns:
    return Columns(options["sensor_column"], options["time_column"], dict(options["fields"]), options["zone"])


def _follow(kind: Kind, options: FolderOptions) -> None:
    _publish(FolderSource(options["folder"], options["pattern"], options["every_s"], kind), options)


def _publish(source: LiveSource, options: LiveOptions) -> None:
    stream = LiveStream(options["topic"], options["state"], options["spool_max_bytes"], options["is_replay"])
    with stop_on_signals() as stop:
        run_live(source, stream, config_from_environment(), stop)
