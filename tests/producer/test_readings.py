"""What a reading looks like on Kafka."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from producer.readings import EVENT_TIME, EVENT_TIME_TYPE, N_READINGS_PER_BATCH, SENSOR, Span, encode, merged, replay

START = datetime(2014, 1, 1, tzinfo=UTC)

numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
rows = st.lists(st.tuples(st.text(min_size=1), moments, numbers, numbers), min_size=1, max_size=20)


def batch_of(readings: list[tuple[str, datetime, float | None, float | None]]) -> pa.RecordBatch:
    sensors, times, winds, powers = zip(*readings, strict=True)
    return pa.RecordBatch.from_pydict(
        {
            SENSOR: pa.array(sensors, pa.string()),
            EVENT_TIME: pa.array(times, EVENT_TIME_TYPE),
            "wind_speed": pa.array(winds, pa.float64()),
            'odd "name"': pa.array(powers, pa.float64()),
        }
    )


@given(rows)
def test_json_holds_each_number_exactly_and_leaves_out_what_is_missing(
    readings: list[tuple[str, datetime, float | None, float | None]],
) -> None:
    for (key, value), (sensor, moment, wind, power) in zip(encode(batch_of(readings)), readings, strict=True):
        decoded = json.loads(value)
        assert key == sensor.encode()
        assert datetime.fromisoformat(decoded.pop(EVENT_TIME)) == moment
        wanted = {"wind_speed": wind, 'odd "name"': power}
        assert decoded == {SENSOR: sensor} | {name: number for name, number in wanted.items() if number is not None}


def test_a_whole_second_is_written_without_fraction() -> None:
    [(_, value)] = encode(batch_of([("R80711", START, 1.5, None)]))
    assert value == b'{"sensor_id":"R80711","event_time":"2014-01-01T00:00:00Z","wind_speed":1.5}'


def test_replay_gives_the_span_with_its_start_and_without_its_end_merged() -> None:
    n_readings = N_READINGS_PER_BATCH + 10
    backwards = [("a", START + timedelta(seconds=n), float(n), None) for n in reversed(range(n_readings))]
    table = merged([pa.Table.from_batches([batch_of(backwards)])])
    span = Span(START + timedelta(seconds=5), START + timedelta(seconds=n_readings - 1))
    winds = [wind for batch in replay(table, span) for wind in batch.column("wind_speed").to_pylist()]
    assert winds == [float(n) for n in range(5, n_readings - 1)]
