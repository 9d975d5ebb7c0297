"""The collector's own clock decides nothing: with it hours off, a plan closes at its deadline by the broker's.

The clock is shifted where the collector reads it, and not under the whole process with libfaketime: librdkafka waits by
absolute times and hangs when only half of its calls are shifted.
"""

import datetime as dt
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fogline.ledger.database import Ledger
from fogline.ledger.schema import SealRow
from fogline.steps import collect
from fogline.steps.services import utc_now
from tests.support.cloud import Cloud
from tests.support.rounds import initialise, open_round


def test_a_clock_that_is_hours_off_changes_neither_seal_nor_closing(
    make_cloud: Callable[..., Cloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A grace beyond the deadline: only the deadline closes.
    cloud = make_cloud(round={"quorum": 1, "grace_s": 60, "deadline_s": 3})
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, [1.0, 2.0], 100)
    seals = {}
    # The one that is behind first: it finds no mark that another has left.
    for hours in (-2, 2):
        ledger = tmp_path / f"ledger{hours}.db"
        shutil.copy(tmp_path / "ledger.db", ledger)
        services = replace(cloud.services, ledger=Ledger(f"sqlite:///{ledger}"))
        shift = dt.timedelta(hours=hours)
        monkeypatch.setattr(collect, "utc_now", lambda shift=shift: utc_now() + shift)
        while (seal := collect.Collector(services, state).poll_for(0.5)) is None:
            pass
        assert time.time() * 1000 > state.deadline_ms
        with services.ledger.transaction() as session:
            row = session.get(SealRow, state.plan.plan_id)
            assert row is not None
            seals[hours] = (seal.digest(), row.closed_because)
    assert seals[2] == seals[-2]
    assert seals[2][1] == "the deadline of 3 s"
