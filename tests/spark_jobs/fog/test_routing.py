"""Each record goes to the fog that has its sensor."""

import pyarrow as pa

from spark_jobs.fog.routing import Router

SENSORS = {"fog-a": ("s1", "s3"), "fog-b": ("s2",)}


def rows(warden: str | None, *keys: bytes | None, here: list[bool] | None = None) -> list[list[int]]:
    sizes = [1 if one else None for one in here or [True] * len(keys)]
    columns = {"key": pa.array(keys, pa.binary()), "n_bytes": pa.array(sizes, pa.int32())}
    return [found.tolist() for found in Router(SENSORS, warden).rows(pa.table(columns))]


def test_in_the_order_of_the_batch() -> None:
    assert rows(None, b"s2", b"s3", b"s1", b"s2") == [[1, 2], [0, 3]]


def test_records_of_no_fog_s_sensor_go_to_the_warden() -> None:
    assert rows("fog-b", b"s1", None, b"stranger", b"\xff", b"") == [[0], [1, 2, 3, 4]]


def test_without_a_warden_here_they_are_nobody_s() -> None:
    assert rows(None, b"s1", None, b"stranger") == [[0], []]
    assert rows("fog-elsewhere", b"s1", None, b"stranger") == [[0], []]


def test_records_of_other_applications_are_nobody_s() -> None:
    assert rows("fog-a", None, b"s2", None, here=[False, True, True]) == [[2], [1]]


def test_a_fog_alone_has_all_that_is_here() -> None:
    records = pa.table({"key": pa.array([b"s1", None, b"x"]), "n_bytes": pa.array([1, None, 3], pa.int32())})
    (alone,) = Router({"fog-a": ("s1",)}, "fog-a").rows(records)
    assert alone.tolist() == [0, 2]


def test_an_empty_batch() -> None:
    assert rows("fog-a") == [[], []]
