"""The collector's own clock decides nothing: with it hours off, a plan closes at its deadline by the broker's."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fogline.steps.collect import Collector
from tests.support.cloud import Cloud
from tests.support.rounds import initialise, open_round

LIBRARIES = [path for folder in ("/usr/lib", "/usr/local/lib") for path in Path(folder).glob("**/libfaketimeMT.so.1")]
COLLECTOR = """
import sys
from fogline.artifacts import ArtifactStore
from fogline.ledger.database import Ledger
from fogline.ledger.plans import plan_state
from fogline.steps.collect import Collector
from fogline.steps.services import Services, utc_now

ledger, kafka, store, plan_id = sys.argv[1:]
services = Services(Ledger(ledger), {"bootstrap.servers": kafka}, ArtifactStore(store))
with services.ledger.transaction() as session:
    state = plan_state(session, plan_id)
began = utc_now()
while (seal := Collector(services, state).poll_for(1.0)) is None:
    pass
print(int(began.timestamp()), seal.digest(), *(answer.fog for answer in seal.answers))
"""


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not on this machine; Debian's package is faketime")
def test_a_clock_that_is_hours_off_changes_neither_seal_nor_closing(
    make_cloud: Callable[..., Cloud], tmp_path: Path
) -> None:
    # A grace beyond the deadline: only the deadline closes.
    cloud = make_cloud(round={"quorum": 1, "grace_s": 60, "deadline_s": 4})
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, [1.0, 2.0], 100)
    told = {}
    for shift in ("-2h", "+2h"):
        ledger = tmp_path / f"ledger{shift}.db"
        shutil.copy(tmp_path / "ledger.db", ledger)
        clock = {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        paths = os.pathsep.join(sys.path)
        kafka = cloud.services.kafka["bootstrap.servers"]
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                COLLECTOR,
                f"sqlite:///{ledger}",
                kafka,
                cloud.services.store.url,
                state.plan.plan_id,
            ],
            env={**os.environ, **clock, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        began, *told[shift] = done.stdout.split()
        assert abs(int(began) - time.time()) > 3600, "the clock was not changed"
        assert time.time() * 1000 > state.deadline_ms
    assert told["-2h"] == told["+2h"]
    assert told["-2h"][1:] == ["fog-a"]


def test_a_poll_that_ends_open_asks_the_broker_for_its_time(
    make_cloud: Callable[..., Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = make_cloud(round={"quorum": 1, "grace_s": 60, "deadline_s": 2})
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, [1.0, 2.0], 100)
    monkeypatch.setattr(Collector, "_seems_over", lambda self: False)
    while (seal := Collector(cloud.services, state).poll_for(0.5)) is None:
        pass
    assert [answer.fog for answer in seal.answers] == ["fog-a"]
