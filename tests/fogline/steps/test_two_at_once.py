"""A task retried while its earlier try still lives, and two runs at the same moment, on Postgres."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fogline.artifacts import ArtifactStore
from fogline.ledger import models
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.rounds.errors import RoundBusy
from fogline.steps.publish import publish_candidate
from fogline.steps.services import Services
from tests.support.cloud import Cloud
from tests.support.databases import new_database
from tests.support.rounds import aggregated, evaluate, initialise, open_round


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud], postgres: str, tmp_path: Path) -> Cloud:
    cloud = make_cloud()
    url = new_database(postgres)
    upgrade(url)
    cloud.services = Services(Ledger(url), cloud.services.kafka, ArtifactStore(f"file://{tmp_path}/models"))
    return cloud


def both(action: Callable[[int], object]) -> list[object]:
    """Do something in two threads that start together; return what each got, or its error."""
    start, got = threading.Barrier(2), list[object]()

    def act(number: int) -> None:
        start.wait(30)
        try:
            got.append(action(number))
        except Exception as error:
            got.append(error)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return got


def test_two_publishers_of_one_candidate_commit_it_once_and_both_succeed(cloud: Cloud) -> None:
    initialise(cloud)
    aggregated(cloud, "r0", [1.0, 2.0])
    evaluate(cloud, "r0")
    got = both(lambda _: publish_candidate(cloud.services, cloud.federation, "r0").outcome)
    assert got == ["committed", "committed"]
    with cloud.services.ledger.transaction() as session:
        assert [row.name for row in models.chain_of(session, cloud.federation.federation, "main")] == [
            "main@0",
            "main@1",
        ]
        assert len(models.moves_of(session, cloud.federation.federation, "main")) == 2


def test_of_two_runs_that_open_a_round_at_the_same_moment_one_waits(cloud: Cloud) -> None:
    initialise(cloud)
    got = both(lambda number: open_round(cloud, f"r{number}").choice.interval.index)
    assert 0 in got
    assert any(isinstance(one, RoundBusy) for one in got)
