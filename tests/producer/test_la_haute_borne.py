"""The wind farm's readings: from the archive's columns to fields, and a download that fails."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producer.errors import ProducerError
from producer.readings import EVENT_TIME, SENSOR, Span
from producer.sources import la_haute_borne as module

ROWS = """Wind_turbine_name,Date_time,Ba_avg,P_avg,Ws_avg,Va_avg,Ot_avg,Ya_avg,Wa_avg
R80736,2014-01-01T01:10:00+01:00,-1.0,642.78003,7.1199999,0.66,4.69,181.34,182.01
R80721,2014-01-01T01:00:00+01:00,-1.01,441.06,6.39,-2.48,,179.82,177.36
"""


def unpacked(_: list[str], folder: Path) -> None:
    archive = folder / "wheel" / module.ARCHIVE
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(module.MEMBER, ROWS)


def test_columns_become_fields_once_and_are_replayed_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_run", lambda command: unpacked(command, Path(command[-1]).parent))
    expected = [
        {
            SENSOR: "R80721",
            EVENT_TIME: datetime(2014, 1, 1, tzinfo=UTC),
            "wind_speed": 6.39,
            "outdoor_temperature": None,
            "vane_angle": -2.48,
            "wind_direction": 177.36,
            "power": 441.06,
        },
        {
            SENSOR: "R80736",
            EVENT_TIME: datetime(2014, 1, 1, 0, 10, tzinfo=UTC),
            "wind_speed": 7.1199999,
            "outdoor_temperature": 4.69,
            "vane_angle": 0.66,
            "wind_direction": 182.01,
            "power": 642.78003,
        },
    ]
    for _ in range(2):
        [batch] = module.la_haute_borne(tmp_path).batches(Span(None, None))
        assert batch.to_pylist() == expected
        monkeypatch.setattr(module, "_run", lambda command: pytest.fail(f"downloaded again: {command}"))
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]


def test_a_failed_download_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setattr(module, "N_ATTEMPTS", 1)
    with pytest.raises(ProducerError, match=r"^openoa==3\.2 can't be downloaded \(.+\); is the Python package index"):
        module.ensure_readings(tmp_path)
    assert list(tmp_path.iterdir()) == []
