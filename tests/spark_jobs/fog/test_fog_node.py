"""A fog as it runs: spark-submit, a real broker, killed and started again."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fogline.messages.answer import Answer
from fogline.metrics import ADDRESS_VARIABLE, PORT_VARIABLE
from fogline.stack.ports import free_ports
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.conftest import REPOSITORY
from tests.spark_jobs.fog.made import DAY, at, line, readings, span
from tests.spark_jobs.fog.process import Farm, FogProcess, expected_digest, to_train
from tests.support.prometheus import scraped_text

StartFog = Callable[..., FogProcess]
SOUND = b'{"sensor_id": "s1", "event_time": "2024-01-01T00:30:00Z", "x": 1, "y": 3}'
BAD = {
    b"{": ("not_json", ""),
    b"": ("not_json", ""),
    b"null": ("not_an_object", ""),
    SOUND.replace(b'"x": 1', b'"x": "1,5"'): ("number_as_text", "x"),
    SOUND.replace(b'"x": 1', b'"x": NaN'): ("not_finite", "x"),
    SOUND.replace(b'"x": 1', b'"x": 11'): ("out_of_range", "x"),
    SOUND.replace(b"00Z", b"00"): ("bad_time", "event_time"),
    SOUND.replace(b"2024", b"2999"): ("future_time", "event_time"),
    SOUND.replace(b'"s1"', b'"s3"'): ("other_key", "sensor_id"),
}
QUARANTINED = {
    **dict.fromkeys((code for code, _ in BAD.values()), 1),
    "not_json": 2,
    "no_value": 1,
    "unknown_sensor": 1,
}


def require_counted(text: str, answer: Answer) -> None:
    """Check what a fog serves once it has kept 240 readings and sent its first answer."""
    families = text_string_to_metric_families(text)
    samples = [(one.name, one.labels, one.value) for family in families for one in family.samples]

    def by(label: str, name: str) -> dict[str, float]:
        return {labels[label]: n for found, labels, n in samples if found == f"fogline_fog_{name}" and n}

    def of_fog(name: str) -> float:
        return by("fog", name).get("fog-a", 0)

    assert by("reason", "records_quarantined_total") == QUARANTINED
    assert of_fog("readings_kept_total") == 240
    assert of_fog("newest_reading_timestamp_seconds") == (at(5) - DAY / 24).timestamp()
    assert of_fog("slowest_sensor_timestamp_seconds") == (at(5) - DAY / 24).timestamp()
    assert of_fog("store_files") >= 5 and of_fog("store_bytes") > 0
    assert of_fog("training_seconds_count") == 1
    assert by("kind", "plans_answered_total") == {"update": 1}
    assert by("reason", "plans_declined_total") == {}
    assert by("content", "sent_bytes_total") == {"weights": 8, "manifest": len(answer.to_bytes())}
    assert [n for name, _, n in samples if name == "fogline_fog_model_received_bytes_total"] == [8]


def test_it_keeps_sound_readings_quarantines_the_rest_and_answers(
    make_farm: Callable[..., Farm], start_fog: StartFog, tmp_path: Path
) -> None:
    farm = make_farm()
    farm.send(("s1", value) for value in BAD)
    farm.send([("s1", None), ("stranger", SOUND)])
    farm.send_readings(line(farm.own, "s1", 0, 5), line(farm.own, "s3", 0, 5))
    (port,) = free_ports(1)
    fog = start_fog(farm, **{PORT_VARIABLE: str(port), ADDRESS_VARIABLE: "127.0.0.1"})
    plan = to_train(farm)
    farm.announce(plan)
    answer = farm.answer_to(plan)

    assert (answer.kind, answer.n_examples, answer.silent_sensors) == ("update", 96, ())
    assert answer.weights is not None
    assert answer.weights.digest == expected_digest(farm, plan, tmp_path)
    rejected = farm.rejected(len(BAD) + 2)
    assert [value for value, _ in rejected] == [*BAD, None, SOUND]
    wanted = [*BAD.values(), ("no_value", ""), ("unknown_sensor", "")]
    assert [(headers["code"], headers["field"]) for _, headers in rejected] == wanted
    assert [headers["offset"] for _, headers in rejected] == [str(offset) for offset in range(len(wanted))]
    assert all(headers["reason"] and headers["fog"] == "fog-a" for _, headers in rejected)
    fog.wait_for("update from 96 rows")
    require_counted(scraped_text(port), answer)
    fog.terminate()
    assert "Traceback" not in fog.said()


def test_killed_while_ingesting_and_training_it_answers_as_if_nothing_had_been(
    make_farm: Callable[..., Farm], start_fog: StartFog, tmp_path: Path
) -> None:
    farm = make_farm(training={"epochs": 3_000, "batch_size": 8, "learning_rate": 0.05})
    first = line(farm.own, "s1", 0, 5)
    farm.send_readings(first.slice(0, 72))
    killed = start_fog(farm)
    killed.wait_for("72 readings kept")
    farm.send_readings(first.slice(72), line(farm.own, "s3", 0, 5))
    killed.kill()

    plan = to_train(farm)
    farm.announce(plan)
    killed = start_fog(farm)
    killed.wait_for(f"plan {plan.plan_id}: train over")
    killed.kill()
    assert "update from" not in killed.said()

    fog = start_fog(farm)
    answer = farm.answer_to(plan)
    stored = made.store(farm.own, tmp_path / "data" / farm.own.federation / "fog-a").read([span(0, 5)])
    assert stored.num_rows == 240
    assert answer.weights is not None
    assert answer.weights.digest == expected_digest(farm, plan, tmp_path)
    fog.wait_for("update from 96 rows")

    fog.kill()
    again = start_fog(farm)
    following = to_train(farm, number=2)
    farm.announce(following)
    assert farm.answer_to(following).kind == "update"
    assert f"plan {plan.plan_id}:" not in again.said()


def test_a_sensor_that_never_reports_is_named_and_not_waited_for_again(
    make_farm: Callable[..., Farm], start_fog: StartFog
) -> None:
    farm = make_farm()
    farm.send_readings(line(farm.own, "s1", 0, 5))
    fog = start_fog(farm)
    fog.wait_for("120 readings kept")
    first = to_train(farm).model_copy(update={"deadline_s": 8.0})
    farm.announce(first)
    answer = farm.answer_to(first)
    assert (answer.kind, answer.n_examples, answer.silent_sensors) == ("update", 48, ("s3",))
    assert "no reading yet past" in fog.said()

    # With this deadline waiting for the sensor would take longer than the test does.
    second = to_train(farm, number=2).model_copy(update={"deadline_s": 3600.0})
    farm.announce(second)
    assert farm.answer_to(second).silent_sensors == ("s3",)


def test_a_plan_without_readings_is_declined_and_the_next_one_answered(
    make_farm: Callable[..., Farm], start_fog: StartFog
) -> None:
    farm = make_farm()
    # The last one confirms that the clock did jump.
    farm.send_readings(*(readings(farm.own, sensor, [1.5, 9.0, 9.1], [1, 2, 3]) for sensor in ("s1", "s3")))
    fog = start_fog(farm)
    fog.wait_for("6 readings kept")
    empty = to_train(farm)
    farm.announce(empty)
    declined = farm.answer_to(empty)
    assert declined.kind == "decline"
    assert declined.reason == "no readings from 2024-01-03 00:00 to 2024-01-05 00:00 UTC of s1, s3"
    full = to_train(farm, number=2).model_copy(update={"window": span(1, 2)})
    farm.announce(full)
    assert farm.answer_to(full).n_examples == 2


def test_a_fog_in_a_zone_whose_clocks_change_loses_nothing(
    make_farm: Callable[..., Farm], start_fog: StartFog, tmp_path: Path
) -> None:
    # The window ends with 31 March 2024, when the clocks of Paris leave out an hour.
    first = 87
    farm = make_farm()
    farm.send_readings(*(line(farm.own, sensor, first, first + 5) for sensor in ("s1", "s3")))
    start_fog(farm, TZ="Europe/Paris")
    plan = to_train(farm, first=first)
    farm.announce(plan)
    answer = farm.answer_to(plan)
    assert (answer.n_examples, {day.n_readings for day in answer.readings}) == (96, {24})
    assert answer.weights is not None
    assert answer.weights.digest == expected_digest(farm, plan, tmp_path, first)


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        (["--federation", "wind_frm", "--fog", "fog-1"], {}, "there is no"),
        (
            ["--federation", "wind_farm", "--fog", "fog-9"],
            {},
            "--fog fog-9: wind_farm.yaml has no such fog; it has fog-1",
        ),
        (["--federation", "wind_farm", "--fog", "fog-1"], {"FOGLINE_FOG_DATA": ""}, "FOGLINE_FOG_DATA is not set"),
        (
            ["--federation", "wind_farm", "--fog", "fog-1"],
            {"FOGLINE_KAFKA_BOOTSTRAP_SERVERS": ""},
            "FOGLINE_KAFKA_BOOTSTRAP_SERVERS is not set",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], says: str
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")]),
        "FOGLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "FOGLINE_FOG_DATA": str(tmp_path),
        **variables,
    }
    command = [sys.executable, str(REPOSITORY / "spark_jobs" / "fog_node.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
