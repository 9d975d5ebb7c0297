"""A person who lists, saves, repairs and sends again what was quarantined."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from confluent_kafka import Message

from fogline.kafka.publish import Publisher
from fogline.kafka.quarantine import Quarantined
from fogline.kafka.read import read_to_end
from fogline.kafka.rejected import main
from fogline.kafka.topics import ensure_topics

BAD = b'{"sensor_id": "a", "power": "1,5"}'
Edit = Callable[[dict[str, Any]], None]


class Desk:
    """A person at the quarantine, of a federation that only this test has."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.config = {"bootstrap.servers": kafka}
        self.federation = f"f-{uuid.uuid4().hex[:8]}"
        self.topic = f"sensors-{self.federation}"
        ensure_topics(kafka, sensor_topics=[self.topic])
        self.file = folder / "saved.jsonl"
        self.why = Quarantined(
            federation=self.federation,
            fog="fog-1",
            code="number_as_text",
            field="power",
            reason="power: '1,5' is text; [say] fields.power.text",
            topic=self.topic,
            partition=2,
            offset=7,
            n_bytes=len(BAD),
        )
        self._n = 0

    def quarantine(self, value: bytes | None = BAD, key: bytes | None = b"a", **why: Any) -> None:
        self._n += 1
        told = replace(self.why, **{"n_bytes": len(value or b""), "offset": self._n, **why})
        Publisher(self.config).publish([told.record(key, value)])

    def say(self, *arguments: str, fails: bool = False) -> str:
        done = CliRunner().invoke(main, list(arguments))
        assert (done.exit_code != 0) == fails, done.output
        return done.output

    def listed(self, *arguments: str) -> str:
        return self.say("list", "--federation", self.federation, *arguments)

    def save(self) -> list[dict[str, Any]]:
        self.listed("--save", str(self.file))
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def repair(self, *edits: Edit) -> None:
        lines = self.save()
        for line, edit in zip(lines, edits, strict=True):
            edit(line)
        self.file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def replay(self, *arguments: str, fails: bool = False) -> str:
        return self.say("replay", str(self.file), *arguments, fails=fails)

    def arrived(self) -> list[Message]:
        return list(read_to_end(self.config, self.topic, 30))
