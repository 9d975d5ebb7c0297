"""How far a stream has been delivered, kept in a file so that the next start goes on from there."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from producer.errors import ProducerError
from producer.readings import EventTimes


@dataclass(frozen=True)
class Position:
    """Everything before it is delivered: all readings before an event time and the first so many at it."""

    event_time_us: int
    n_at_event_time: int
    n_readings: int

    @property
    def event_time(self) -> datetime:
        """The event time, in UTC."""
        return datetime.fromtimestamp(self.event_time_us // 1_000_000, UTC).replace(
            microsecond=self.event_time_us % 1_000_000
        )


def advanced(position: Position | None, event_times_us: EventTimes) -> Position:
    """Return the position after further readings, given in order."""
    last = int(event_times_us[-1])
    n_last = int((event_times_us == last).sum())
    if position is None:
        return Position(last, n_last, len(event_times_us))
    if position.event_time_us == last:
        n_last += position.n_at_event_time
    return Position(last, n_last, position.n_readings + len(event_times_us))


@dataclass(frozen=True)
class PositionFile:
    """The position of one stream: a source with its arguments, published on one topic of one Kafka cluster.

    The cluster counts, because readings delivered to one that is gone are not on its successor.
    """

    folder: Path
    stream: dict[str, object] = field(hash=False)

    @property
    def path(self) -> Path:
        """Where the position lies."""
        canonical = json.dumps(self.stream, sort_keys=True, default=str)
        fingerprint = hashlib.sha256(canonical.encode()).hexdigest()[:16]
        return self.folder / f"{self.stream['topic']}-{self.stream['source']}-{fingerprint}.json"

    def load(self) -> Position | None:
        """Return the position, None at the first start.

        Raises
        ------
        ProducerError
            The file does not hold a position.
        """
        try:
            return Position(**json.loads(self.path.read_text())["position"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ProducerError(
                f"{self.path}: not a readable position ({error}); remove it to send the stream from its start"
            ) from error

    def save(self, position: Position) -> None:
        """Store the position by temporary name and rename.

        Raises
        ------
        ProducerError
            It can't be written.
        """
        text = json.dumps({"position": asdict(position), "stream": self.stream}, default=str, indent=1)
        unfinished = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(text)
            unfinished.replace(self.path)
        except OSError as error:
            raise ProducerError(f"{self.path}: the position can't be stored ({error.strerror})") from error
