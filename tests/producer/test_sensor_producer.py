"""What the command line refuses, and in which words."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from producer.sensor_producer import main

MQTT = ["mqtt", "--host", "localhost", "--topic-filter", "farm/+/readings"]
SYNTHETIC = ["synthetic", "--sensor", "turbine-1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*SYNTHETIC, "--speed", "0"], "'0' is no speed; give max or a number above zero"),
        ([*SYNTHETIC, "--from", "yesterday"], "'yesterday' is no time in ISO 8601; write it as"),
        ([*SYNTHETIC, "--from", "2024-02-01", "--to", "2024-01-01"], "is not after --from"),
        (["csv", "nowhere.csv"], "'nowhere.csv' does not exist"),
        (["csv", __file__, "--field", "power"], "'power' names no field and column; write it as power=P_avg"),
        (["csv", __file__, "--delimiter", "tab"], "'tab' is not one character"),
        (["csv", __file__, "--zone", "CEST"], "--zone CEST: there is no such time zone"),
        ([*MQTT, "--sensor-level", "2", "--sensor-key", "id"], "give --sensor-level or --sensor-key, not both"),
        ([*MQTT, "--certificate", __file__], "--certificate and --key need each other"),
        ([*MQTT, "--password-file", __file__], "a password needs its --user"),
        ([*MQTT, "--ca-file", __file__], "--ca-file, --certificate and --key can't be used for TLS"),
        ([*MQTT, "--spool-max-bytes", "1000"], "1000 is not in the range"),
        (MQTT, "FOGLINE_KAFKA_BOOTSTRAP_SERVERS is not set"),
        (["csv-folder", "nowhere"], "'nowhere' does not exist"),
        (SYNTHETIC, "FOGLINE_KAFKA_BOOTSTRAP_SERVERS is not set"),
    ],
)
def test_a_bad_option_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.delenv("FOGLINE_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    answer = CliRunner().invoke(main, [*arguments, "--state", str(tmp_path)])
    assert answer.exit_code in (1, 2)
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
