"""A folder's producer as a process: killed while files grow, it sends each row."""

import json
from pathlib import Path

from fogline.stack.ports import free_ports
from fogline.stack.settings import HOST
from tests.producer.conftest import Live, n_on_topic, records


def grow(path: Path, n_first: int, n_last: int) -> None:
    with path.open("a") as file:
        if n_first == 0:
            file.write("sensor_id,event_time,x\n")
        file.writelines(f"{path.stem},2024-01-01T00:00:00.{number:06}Z,{number}\n" for number in range(n_first, n_last))


def test_killed_while_files_grow_it_sends_each_row(kafka: str, topic: str, live: Live, tmp_path: Path) -> None:
    n_rows, sensors = 8_000, ("t1", "t2")
    folder = tmp_path / "readings"
    folder.mkdir()
    arguments = ["csv-folder", str(folder), "--every", "0.05", "--topic", topic]
    live.start(kafka, *arguments)
    for n_before in range(0, n_rows, n_rows // 2):
        for sensor in sensors:
            grow(folder / f"{sensor}.csv", n_before, n_before + n_rows // 2)
        n_awaited = 2 * n_before + n_rows // 4
        live.until(lambda n_awaited=n_awaited: n_on_topic(kafka, topic) >= n_awaited, "some of the rows")
        live.kill()
        live.start(kafka, *arguments)
    with (folder / "t3.csv").open("w") as last:
        last.write("sensor_id,event_time,x\nlast,2024-01-01T00:00:00Z,0\n")
    live.until(lambda: any(record.key() == b"last" for record in records(kafka, topic)), "the last row")
    live.stop()
    for sensor in sensors:
        values = [
            json.loads(record.value() or b"") for record in records(kafka, topic) if record.key() == sensor.encode()
        ]
        assert list(dict.fromkeys(int(value["x"]) for value in values)) == list(range(n_rows))


def test_two_producers_do_not_share_a_spool(live: Live, tmp_path: Path) -> None:
    servers = f"{HOST}:{free_ports(1)[0]}"
    arguments = ["csv-folder", str(tmp_path)]
    live.start(servers, *arguments)
    live.await_said("reading *.csv in")
    second = Live(tmp_path)
    second._log = tmp_path / "second.log"
    second.start(servers, *arguments)
    assert second.fails().endswith("another producer uses this spool; stop it, or give this one a --state of its own")
    live.stop()
