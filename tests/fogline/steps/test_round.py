"""Whole rounds through the steps: the chain, clearing tasks, recomputing."""

import pytest

from fogline.kafka.read import TailReader, open_consumer
from fogline.kafka.topics import GLOBAL_MODEL
from fogline.kafka.vectors import fetch_vector
from fogline.ledger import models
from fogline.ledger.database import LedgerError
from fogline.messages.head import Head
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import interval_at
from fogline.steps.publish import publish_candidate
from tests.support.cloud import Cloud
from tests.support.rounds import aggregated, evaluate, initialise, open_round, whole_round


def chain(cloud: Cloud) -> list[tuple[int, int | None, int | None]]:
    with cloud.services.ledger.transaction() as session:
        rows = models.chain_of(session, cloud.federation.federation, "main")
        versions = {row.id: row.version for row in rows}
        return [(row.version, versions.get(row.base_id), row.interval_index) for row in rows]


def heads(cloud: Cloud) -> list[Head]:
    with open_consumer(cloud.services.kafka) as consumer:
        reader = TailReader(consumer, GLOBAL_MODEL, {})
        records = [record for _ in range(5) for record in reader.poll(0.3)]
    key = f"{cloud.federation.federation}/main/manifest"
    return [Head.from_bytes(record.value) for record in records if record.key == key]


def test_version_zero_is_made_once_and_compared_afterwards(cloud: Cloud) -> None:
    first = initialise(cloud)
    assert (first.outcome, first.model.version) == ("committed", 0)
    assert initialise(cloud, "again").outcome == "reproduced"
    assert chain(cloud) == [(0, None, None)]


def test_rounds_form_one_chain_and_the_head_reaches_kafka(cloud: Cloud) -> None:
    initialise(cloud)
    assert whole_round(cloud, "r0", [1.0, 2.0]).outcome == "committed"
    assert whole_round(cloud, "r1", [3.0, 4.0]).outcome == "committed"
    assert chain(cloud) == [(0, None, None), (1, 0, 0), (2, 1, 1)]
    sent = heads(cloud)
    assert [(head.version, head.head_no) for head in sent] == [(0, 1), (1, 2), (2, 3)]
    assert fetch_vector(cloud.services.kafka, sent[-1].weights).tolist() == [3.0, 4.0]


def test_publish_cleared_commits_nothing_twice(cloud: Cloud) -> None:
    initialise(cloud)
    whole_round(cloud, "r0", [1.0, 2.0])
    assert publish_candidate(cloud.services, cloud.federation, "r0").outcome == "committed"
    assert chain(cloud) == [(0, None, None), (1, 0, 0)]


def test_an_interval_on_the_chain_is_reproduced_or_its_difference_said(cloud: Cloud) -> None:
    initialise(cloud)
    whole_round(cloud, "r0", [1.0, 2.0])
    whole_round(cloud, "r1", [3.0, 4.0])
    before = chain(cloud)
    assert whole_round(cloud, "r0", [1.0, 2.0]).outcome == "reproduced"
    other = whole_round(cloud, "by hand", [1.0, 2.5], interval_at(cloud.federation, 0))
    assert other.outcome == "differs"
    assert any(line.startswith("fog-a: weights") for line in other.differences)
    assert chain(cloud) == before


def test_announce_alone_cleared_makes_the_following_tasks_refuse(cloud: Cloud) -> None:
    initialise(cloud)
    whole_round(cloud, "r0", [1.0, 2.0])
    open_round(cloud, "r0")
    with pytest.raises(RoundRefused, match="is not sealed; clear collect_weights"):
        publish_candidate(cloud.services, cloud.federation, "r0")


def test_a_candidate_that_was_not_evaluated_is_not_published(cloud: Cloud) -> None:
    initialise(cloud)
    aggregated(cloud, "r0", [1.0, 2.0])
    with pytest.raises(RoundRefused, match="was not evaluated; clear evaluate_candidate"):
        publish_candidate(cloud.services, cloud.federation, "r0")


def test_evaluate_cleared_gives_the_same_seal(cloud: Cloud) -> None:
    initialise(cloud)
    aggregated(cloud, "r0", [1.0, 2.0])
    assert evaluate(cloud, "r0").digest() == evaluate(cloud, "r0").digest()


def test_a_head_that_moved_meanwhile_fences_the_commit(cloud: Cloud) -> None:
    initialise(cloud)
    opened = aggregated(cloud, "r0", [1.0, 2.0])
    evaluate(cloud, "r0")
    with cloud.services.ledger.transaction() as session:
        new = models.NewModel(None, "other", "path", opened.state.plan.plan_id, "other", 7, 1)
        models.commit_version(session, cloud.federation.federation, "main", new, 1, opened.choice.interval.end)
    with pytest.raises(LedgerError, match="has moved 1 times"):
        publish_candidate(cloud.services, cloud.federation, "r0")
