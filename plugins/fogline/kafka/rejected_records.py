"""Quarantined records as people read them: why each one is there, and where it lies."""

import datetime as dt
import heapq
import io
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import Message
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fogline.kafka.clients import ClientConfig
from fogline.kafka.quarantine import Quarantined
from fogline.kafka.read import read_to_end
from fogline.kafka.selection import Selection
from fogline.kafka.topics import SENSOR_DATA_REJECTED

TIMEOUT_S = 30.0
# Where nobody looks at a terminal.
FILE_WIDTH = 180
HEADINGS = ("quarantined, UTC", "fog", "sensor", "code", "field", "reason", "record")


@dataclass(frozen=True)
class RejectedRecord:
    """A record of ``sensor-data-rejected``, and what its headers say."""

    key: bytes | None
    value: bytes | None
    at: dt.datetime
    headers: tuple[tuple[str, bytes | None], ...]
    why: Quarantined

    @classmethod
    def of(cls, message: Message) -> "RejectedRecord":
        """Take a consumer's message."""
        headers = tuple((name, _bytes(value)) for name, value in _pairs(message))
        at = dt.datetime.fromtimestamp(max(0, message.timestamp()[1]) / 1000, dt.UTC)
        return cls(_bytes(message.key()), _bytes(message.value()), at, headers, Quarantined.of_headers(headers))

    @property
    def sensor(self) -> str:
        """The key, as text."""
        return (self.key or b"").decode("utf-8", "replace")

    @property
    def place(self) -> str:
        """Where the record lies that was quarantined."""
        return f"{self.why.topic}[{self.why.partition}]@{self.why.offset}"

    @property
    def is_cut(self) -> bool:
        """Whether the quarantine has only its start, because it was too large to be judged."""
        return self.why.n_bytes > len(self.value or b"")


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _pairs(message: Message) -> Sequence[tuple[str, bytes | str | None]]:
    headers = message.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def read_rejected(config: ClientConfig, selection: Selection) -> Iterator[RejectedRecord]:
    """Give the quarantined records of a selection, those of one partition in their order and each once.

    Raises
    ------
    KafkaLayerError, KafkaAccessError
        The topic can't be read.
    """
    seen: set[tuple[str, str, str]] = set()
    for message in read_to_end(config, SENSOR_DATA_REJECTED, TIMEOUT_S):
        record = RejectedRecord.of(message)
        if not selection.takes(record.why, record.sensor, record.at):
            continue
        # A fog that stopped in the middle of a batch has quarantined it twice.
        twice = (record.why.federation, record.why.fog, record.place)
        if twice not in seen or not record.why.topic:
            seen.add(twice)
            yield record


def records_table(records: Iterable[RejectedRecord], n_shown: int) -> str:
    """Return the newest records as text, the newest last, and how many there are of each code."""
    by_code: Counter[str] = Counter()

    def numbered() -> Iterator[tuple[dt.datetime, int, RejectedRecord]]:
        for number, record in enumerate(records):
            by_code[record.why.code or "no code"] += 1
            yield record.at, number, record

    newest = heapq.nlargest(n_shown, numbered(), key=lambda one: one[:2])
    found = by_code.total()
    if not found:
        return "No quarantined record matches"
    codes = ", ".join(f"{n} {shown(code)}" for code, n in by_code.most_common())
    title = f"The newest {len(newest)} of {found} quarantined records"
    return f"{_laid_out(title, [_row(record) for *_, record in reversed(newest)])}\n{found} quarantined: {codes}"


def _row(record: RejectedRecord) -> tuple[str, ...]:
    why = record.why
    return (f"{record.at:%Y-%m-%d %H:%M:%S}", why.fog, record.sensor, why.code, why.field, why.reason, record.place)


def _laid_out(title: str, rows: Sequence[Sequence[str]]) -> str:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for row in rows:
        # Not markup: what sensors send may look like it.
        table.add_row(*(Text(shown(cell) or "-") for cell in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else FILE_WIDTH
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return console.file.getvalue().rstrip()  # type: ignore[attr-defined, no-any-return]


def shown(text: str) -> str:
    """Return a text that a terminal only shows."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
