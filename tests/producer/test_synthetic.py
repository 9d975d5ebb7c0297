"""The made-up farm: the same for ever, within its ranges, and shaped like a turbine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fogline.federation.load import load_federation
from producer.readings import SENSOR, Span, event_times_us
from producer.sources.synthetic import RATED_POWER_KW, synthetic

START = datetime(2024, 1, 1, tzinfo=UTC)
SENSORS = ("turbine-1", "turbine-2", "turbine-3")
WIND_FARM = Path(__file__).parents[2] / "dags" / "federations" / "wind_farm.yaml"


def farm(start: datetime, end: datetime, *, every_s: float = 600, seed: int = 1) -> pa.Table:
    return pa.Table.from_batches(list(synthetic(SENSORS, every_s, seed).batches(Span(start, end))))


def test_readings_do_not_depend_on_where_it_started() -> None:
    whole = farm(START, START + timedelta(days=60))
    part = farm(START + timedelta(days=33, seconds=1), START + timedelta(days=60))
    assert part.num_rows == 27 * 144 * 3 - 3
    assert whole.slice(whole.num_rows - part.num_rows).combine_chunks().equals(part.combine_chunks())


def test_another_seed_and_another_sensor_read_otherwise() -> None:
    one, other = farm(START, START + timedelta(days=1)), farm(START, START + timedelta(days=1), seed=2)
    assert not one.column("wind_speed").equals(other.column("wind_speed"))
    winds = np.asarray(one.column("wind_speed")).reshape(-1, 3)
    assert (winds[:, 0] != winds[:, 1]).mean() > 0.9


def test_sensors_read_in_turn_at_each_multiple_of_the_period() -> None:
    table = farm(START + timedelta(milliseconds=1), START + timedelta(seconds=21), every_s=10)
    assert table.column(SENSOR).to_pylist() == list(SENSORS) * 2
    assert [us // 1_000_000 - int(START.timestamp()) for us in event_times_us(table)] == [10] * 3 + [20] * 3


def test_a_year_lies_within_the_ranges_of_the_wind_farm() -> None:
    table = farm(START, START + timedelta(days=365))
    for name, declared in load_federation(WIND_FARM).fields.items():
        numbers = np.asarray(table.column(name))
        assert declared.min <= numbers.min()
        assert numbers.max() <= declared.max


def test_power_follows_the_curve_and_winter_is_colder_and_windier() -> None:
    table = farm(START, START + timedelta(days=365))
    wind, power = np.asarray(table.column("wind_speed")), np.asarray(table.column("power"))
    assert power[wind < 2.9].max() < 1
    assert power[(wind > 15) & (wind < 24)].mean() == pytest.approx(RATED_POWER_KW * 0.96, rel=0.04)
    month = (event_times_us(table) - event_times_us(table)[0]) // (30 * 86400 * 1_000_000)
    temperature = np.asarray(table.column("outdoor_temperature"))
    assert temperature[month == 0].mean() + 10 < temperature[month == 6].mean()
    assert wind[month == 0].mean() > wind[month == 6].mean()
