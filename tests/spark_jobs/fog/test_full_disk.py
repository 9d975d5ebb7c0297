"""A fog whose disk is full ends and says so; with room again it goes on and has lost nothing."""

from collections.abc import Callable
from pathlib import Path

from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import line, span
from tests.spark_jobs.fog.process import Farm, FogProcess, expected_digest, to_train
from tests.support.disks import fill, small_disk


def test_a_full_disk_ends_the_fog_and_room_brings_it_back_with_every_reading(
    make_farm: Callable[..., Farm], start_fog: Callable[[Farm], FogProcess], tmp_path: Path
) -> None:
    farm = make_farm()
    first = line(farm.own, "s1", 0, 5)
    with small_disk(tmp_path / "data", 8) as disk:
        farm.send_readings(first.slice(0, 72))
        fog = start_fog(farm)
        fog.wait_for("72 readings kept")
        ballast = fill(disk)
        farm.send_readings(first.slice(72), line(farm.own, "s3", 0, 5))
        assert fog.wait() != 0
        assert "No space left on device" in fog.said()

        ballast.unlink()
        plan = to_train(farm)
        farm.announce(plan)
        fog = start_fog(farm)
        answer = farm.answer_to(plan)
        assert answer.weights is not None
        assert answer.weights.digest == expected_digest(farm, plan, tmp_path)
        stored = made.store(farm.own, disk / farm.own.federation / "fog-a").read([span(0, 5)])
        assert stored.num_rows == 240
        fog.kill()
