"""``./fogline rejected`` and ``replay`` on the session's Kafka, as a person types them."""

import json
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from fogline.kafka.publish import Publisher
from fogline.kafka.quarantine import Quarantined
from fogline.kafka.read import read_to_end
from fogline.kafka.topics import ensure_topics
from fogline.stack import quarantine_commands  # noqa: F401, because it adds its verbs
from fogline.stack.commands import main
from fogline.stack.stack import Stack


def fogline(*arguments: str, fails: bool = False) -> str:
    done = CliRunner().invoke(main, list(arguments))
    assert (done.exit_code != 0) == fails, done.output
    return done.output


def test_a_quarantined_record_is_shown_saved_repaired_and_sent_again(
    session_stack: Stack, kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOGLINE_HOME", str(session_stack.settings.home))
    topic, file = f"sensors-{uuid.uuid4().hex[:8]}", tmp_path / "saved.jsonl"
    ensure_topics(kafka, sensor_topics=[topic])
    why = Quarantined("farm", topic, "out_of_range", "power", "power is 9e9", topic, 0, 5, 2)
    Publisher({"bootstrap.servers": kafka}).publish([why.record(b"a", b"{}")])
    said = fogline("rejected", "--fog", topic, "--save", str(file))
    assert "power is 9e9" in said and "1 quarantined: 1 out_of_range" in said and f"Saved: {file}, 1 records" in said
    assert "line 1: is as it was quarantined" in fogline("replay", str(file), fails=True)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"value": "[]"}))
    assert fogline("replay", str(file)) == f"Sent: 1 records to {topic}\n"
    assert [one.value() for one in read_to_end({"bootstrap.servers": kafka}, topic, 30)] == [b"[]"]


def test_without_the_broker_the_verbs_say_what_to_start(
    session_stack: Stack, kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "saved.jsonl"
    file.touch()
    monkeypatch.setenv("FOGLINE_HOME", str(tmp_path))
    for arguments in (["rejected"], ["replay", str(file)]):
        assert fogline(*arguments, fails=True) == "Error: Fogline is not up, and this needs its Kafka: ./fogline up\n"
    monkeypatch.setenv("FOGLINE_HOME", str(session_stack.settings.home))
    monkeypatch.setattr("fogline.stack.branch_commands.listening", lambda port: False)
    assert "Kafka (port " in fogline("rejected", fails=True)
