"""The spool keeps what was appended, in order, within its bound, for one process at a time."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer.errors import ProducerError
from producer.spool import Spool

MEBIBYTE = 2**20
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "state" / "readings.spool", MEBIBYTE)
    yield made
    made.close()


def values(spool: Spool) -> list[bytes]:
    return [one.value for one in spool.first(10_000, 100 * MEBIBYTE)]


def appended(spool: Spool, *values: bytes) -> bool:
    return spool.append([(b"s", value) for value in values], is_replay=False)


def test_records_come_out_in_order_and_as_they_went_in(spool: Spool) -> None:
    spool.append([(b"a", b"\x00\xff"), (None, b"")], is_replay=False)
    spool.append([("å".encode(), b"{}")], is_replay=True)
    assert [one[1:] for one in spool.first(9, 9)] == [
        (b"a", b"\x00\xff", False),
        (None, b"", False),
        ("å".encode(), b"{}", True),
    ]
    assert len(spool.first(2, 100)) == 2
    assert len(spool.first(100, 2)) == 1


def test_what_was_appended_survives_a_kill_and_its_positions_with_it(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from producer.spool import Spool\n"
        f"spool = Spool(Path({str(tmp_path / 'spool')!r}), 2**20)\n"
        "spool.append([(b's', b'1'), (b's', b'2')], is_replay=False, positions={'file': '2', 'old': '1'})\n"
        "spool.append([(b's', b'3')], is_replay=False, positions={'file': '3', 'old': None})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")])
    killed = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    found = Spool(tmp_path / "spool", MEBIBYTE)
    assert values(found) == [b"1", b"2", b"3"] and found.n_readings == 3
    assert found.positions() == {"file": "3"}
    found.close()


def test_a_full_spool_takes_nothing_until_there_is_room(spool: Spool) -> None:
    n_taken = [appended(spool, bytes(10_000)) for _ in range(200)].index(False)
    assert 0.8 * MEBIBYTE < n_taken * 10_000 < MEBIBYTE
    assert spool.is_full and spool.n_readings == n_taken
    assert not spool.append([(b"s", b"x")], is_replay=False, positions={"file": "1"})
    assert spool.positions() == {}
    assert spool.append([], is_replay=False, positions={"file": "0"})
    assert spool.settle([one.number for one in spool.first(20, MEBIBYTE)], {})
    assert not spool.is_full
    assert appended(spool, b"x")
    assert spool.path.stat().st_size < 1.2 * MEBIBYTE


def test_what_is_refused_is_set_aside_and_does_not_fill_the_spool(spool: Spool) -> None:
    n_bytes = MEBIBYTE // 25
    for number in range(1, 6):
        appended(spool, bytes([number]) * n_bytes, b"good")
    waiting = spool.first(100, MEBIBYTE)
    spool.settle([], {one.number: "too large" for one in waiting if one.value != b"good"})
    assert values(spool) == [b"good"] * 5 and spool.n_readings == 5
    with sqlite3.connect(spool.path) as database:
        kept = database.execute("SELECT number, value, reason FROM refused ORDER BY number").fetchall()
    # A tenth of the bound: the two newest.
    assert [(row[0], row[1][:1], row[2]) for row in kept] == [(7, b"\x04", "too large"), (9, b"\x05", "too large")]
    assert spool.n_refused == 2


def test_a_second_process_is_refused(spool: Spool) -> None:
    with pytest.raises(ProducerError, match=r"another producer uses this spool; .* --state of its own"):
        Spool(spool.path, MEBIBYTE)


def test_what_is_no_spool_is_named(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_text("not a database, but long enough that SQLite looks at it" * 100)
    with pytest.raises(ProducerError, match=f"^{path}: the spool can't be used .* move it away"):
        Spool(path, MEBIBYTE)


def test_a_spool_of_another_version_is_refused(tmp_path: Path) -> None:
    Spool(tmp_path / "spool", MEBIBYTE).close()
    with sqlite3.connect(tmp_path / "spool") as database:
        database.execute("PRAGMA user_version=7")
    with pytest.raises(ProducerError, match="a spool of version 7, not 1; empty it with the producer that wrote it"):
        Spool(tmp_path / "spool", MEBIBYTE)


def test_a_disk_without_room_is_a_full_spool(spool: Spool) -> None:
    spool._database.execute(f"PRAGMA max_page_count={spool._one('PRAGMA page_count') + 2}")
    assert not appended(spool, bytes(100_000))
    assert values(spool) == []
    assert appended(spool, b"small")
