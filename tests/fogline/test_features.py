import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from fogline.features import FeatureError, compute, reading_schema

EARLIER = (
    "max(x) OVER (PARTITION BY sensor_id ORDER BY event_time "
    "RANGE BETWEEN INTERVAL 10 MINUTES PRECEDING AND INTERVAL 10 MINUTES PRECEDING)"
)


def readings(rows: list[tuple[str, int, float | None]]) -> pa.Table:
    start = dt.datetime(2024, 1, 1)
    return pa.Table.from_pylist(
        [{"sensor_id": s, "event_time": start + dt.timedelta(minutes=m), "x": x} for s, m, x in rows],
        schema=reading_schema(["x"]),
    )


def test_exactly_ten_minutes_earlier_is_not_the_previous_row() -> None:
    table = compute(readings([("s", 20, 3.0), ("s", 0, 1.0), ("s", 10, 2.0), ("s", 40, 4.0)]), {"earlier": EARLIER})
    assert table["earlier"].to_pylist() == [None, 1.0, 2.0, None]


def test_rows_are_ordered_by_sensor_and_time_whatever_order_they_came_in() -> None:
    table = compute(readings([("b", 0, 1.0), ("a", 10, 2.0), ("a", 0, 3.0)]), {"x": "x"})
    assert table["x"].to_pylist() == [3.0, 2.0, 1.0]


def test_an_expression_can_not_read_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(FeatureError):
        compute(readings([("s", 0, 1.0)]), {"leak": f"(SELECT max(a) FROM read_csv('{secret}'))"})
