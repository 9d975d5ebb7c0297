"""A folder of the first layout, in which each fog had a query of its own, goes on with each record exactly once."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from spark_jobs.fog.errors import FogError
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.layout import take_over
from spark_jobs.fog.state import Batch, FogState
from tests.spark_jobs.fog.fog_data import FogData
from tests.spark_jobs.fog.made import line
from tests.spark_jobs.fog.process import Farm, FogProcess
from tests.spark_jobs.fog.test_spark_checkpoint import commit, plan
from tests.support.first_layout import Death, FirstLayoutFog

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

StartFog = Callable[..., FogProcess]
POINTS = ("migration, position noted", "migration, layout noted", "ingest, not recorded")


@pytest.mark.parametrize("dies", ["written", "recorded"])
def test_each_record_counts_once_through_a_migration_that_is_killed_wherever_it_may_be(
    dies: Death,
    make_farm: Callable[..., Farm],
    spark: "SparkSession",
    start_fog: StartFog,
    run_until_killed: StartFog,
    tmp_path: Path,
) -> None:
    farm = make_farm(lateness="P30D")
    old = FirstLayoutFog(spark, farm.bootstrap_servers, farm.own, "fog-a", tmp_path / "data")
    s1, s3 = line(farm.own, "s1", 0, 6), line(farm.own, "s3", 0, 3)
    bad: list[tuple[str, bytes | None]] = [("s1", b"{"), ("s1", None), ("stranger", b"{}")]
    farm.send_readings(s1.slice(0, 72))
    old.run()
    # A batch without a reading, then one that was begun and is not over for Spark.
    farm.send(bad)
    old.run()
    farm.send_readings(s1.slice(60, 36), s3)
    farm.send(bad)
    old.run(dies)
    assert (old.folder / "checkpoint" / "offsets" / "2").exists()
    assert not (old.folder / "checkpoint" / "commits" / "2").exists()

    farm.send_readings(s1.slice(96))
    for point in POINTS:
        run_until_killed(farm, point)
    fog, data = start_fog(farm), FogData(old.folder, farm.own)
    n_readings = 72 + 36 + s3.num_rows + 48
    data.await_received(n_readings + 6, fog)
    fog.terminate()
    data.require(received=n_readings + 6, kept=n_readings - 12, duplicate=12, not_json=2, no_value=2, unknown_sensor=2)
    data.require_stored(pa.concat_tables([s1, s3]))
    account = data.account()
    assert (account.balance, account.received, account.duplicate) == (0, n_readings + 6, 12)
    assert account.quarantined == {"no_value": 2, "not_json": 2, "unknown_sensor": 2}
    assert [path.name for path in (old.folder / "checkpoint").iterdir()] == ["fogline.json"]


@pytest.fixture
def opened(tmp_path: Path) -> tuple[FogFolder, FogState]:
    """A folder of the first layout whose fog has recorded batch 4."""
    FogFolder(tmp_path, "farm", "fog-a", "t").close()
    identity = tmp_path / "farm" / "fog-a" / "checkpoint" / "fogline.json"
    identity.write_text(identity.read_text().replace('"version": 2', '"version": 1'))
    folder = FogFolder(tmp_path, "farm", "fog-a", "t")
    state = FogState(folder.state)
    state.record_batch(Batch(folder.checkpoint_id, 4), {"received": 1}, {}, {})
    return folder, state


@pytest.mark.parametrize(("committed", "position"), [(3, {0: 40}), (4, {0: 40}), (6, {0: 60})])
def test_the_position_is_the_end_of_the_last_batch_that_was_recorded_or_committed(
    opened: tuple[FogFolder, FogState], committed: int, position: dict[int, int]
) -> None:
    folder, state = opened
    plan(folder.checkpoint, -1, {0: 0})
    for batch in range(3, 8):
        plan(folder.checkpoint, batch, {0: 10 * batch})
    commit(folder.checkpoint, committed)
    take_over(folder, state, "t")
    assert state.position(folder.checkpoint_id) == position
    assert not folder.had_own_query
    assert [path.name for path in folder.checkpoint.iterdir()] == ["fogline.json"]


def test_one_that_never_began_has_no_position(opened: tuple[FogFolder, FogState]) -> None:
    folder, state = opened
    take_over(folder, state, "t")
    assert state.position(folder.checkpoint_id) == {}
    assert not folder.had_own_query


def test_a_checkpoint_that_can_not_be_read_is_refused_with_the_remedy_and_left_as_it_is(
    opened: tuple[FogFolder, FogState],
) -> None:
    folder, state = opened
    plan(folder.checkpoint, -1, {0: 0})
    plan(folder.checkpoint, 4, {0: 40})
    (folder.checkpoint / "offsets" / "4").write_text("")
    with pytest.raises(FogError, match=rf"{folder.checkpoint}: the end of batch 4 can't be read .*; move it away to"):
        take_over(folder, state, "t")
    assert folder.had_own_query
    assert (folder.checkpoint / "offsets" / "4").exists()
