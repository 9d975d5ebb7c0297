"""Collecting answers from a real broker: verdicts, cursor, closing."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fogline.ledger.answers import verdicts_of
from fogline.messages.plan import Plan
from fogline.rounds.judge import PlanState
from fogline.stack.waiting import wait_until
from fogline.steps.collect import Collector, QuorumNotMet
from tests.support.cloud import Cloud
from tests.support.federations import small_federation
from tests.support.fogs import FogStandIn
from tests.support.rounds import collect, initialise, open_round

WEIGHTS = [1.0, 2.0]


def verdicts(cloud: Cloud, plan: Plan) -> list[tuple[str | None, str]]:
    with cloud.services.ledger.transaction() as session:
        return [(row.fog, row.verdict) for row in verdicts_of(session, plan.plan_id)]


def test_all_answers_seal_in_the_plans_order_of_fogs(cloud: Cloud) -> None:
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_b.update(state.plan, [3.0, 4.0], 300)
    cloud.fog_a.update(state.plan, WEIGHTS, 100)
    seal = Collector(cloud.services, state).poll_for(20)
    assert seal is not None
    assert [(answer.fog, answer.n_examples) for answer in seal.answers] == [("fog-a", 100), ("fog-b", 300)]


def test_repeats_old_plans_and_rubbish_get_their_verdicts_and_change_nothing(cloud: Cloud) -> None:
    initialise(cloud)
    old = open_round(cloud, "run").state
    state = open_round(cloud, "run").state
    first = cloud.fog_a.update(state.plan, WEIGHTS, 100)
    cloud.fog_a.send(first.to_bytes())
    cloud.fog_a.update(state.plan, [9.0, 9.0], 900)
    cloud.fog_b.update(old.plan, [9.0, 9.0], 900)
    cloud.fog_b.send(b'{"kind": "update"')
    cloud.fog_b.send(b"")
    cloud.fog_b.update(state.plan, [3.0, 4.0], 300)
    seal = Collector(cloud.services, state).poll_for(20)
    assert seal is not None and seal.answers[0] == first
    assert verdicts(cloud, state.plan) == [
        ("fog-a", "accepted"),
        ("fog-a", "duplicate"),
        ("fog-a", "duplicate"),
        ("fog-b", "accepted"),
    ]
    assert verdicts(cloud, old.plan) == [("fog-b", "stale")]


def test_a_second_collector_goes_on_where_the_first_was_killed(cloud: Cloud) -> None:
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, WEIGHTS, 100)
    assert Collector(cloud.services, state).poll_for(1) is None
    cloud.fog_b.update(state.plan, [3.0, 4.0], 300)
    seal = Collector(cloud.services, state).poll_for(20)
    assert seal is not None and [answer.fog for answer in seal.answers] == ["fog-a", "fog-b"]
    again = Collector(cloud.services, state).poll_for(20)
    assert again is not None and again.digest() == seal.digest()
    assert verdicts(cloud, state.plan) == [("fog-a", "accepted"), ("fog-b", "accepted")]


def test_below_quorum_at_the_deadline_says_who_answered_what(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud(round={"deadline_s": 2, "quorum": "all"})
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_a.answer(state.plan, kind="decline", reason="no readings")
    with pytest.raises(QuorumNotMet, match=r"fog-a: declined \(no readings\); fog-b: no answer.*clear announce_round"):
        Collector(cloud.services, state).poll_for(20)


def test_quorum_and_grace_close_without_the_silent_fog_and_later_answers_are_late(
    make_cloud: Callable[..., Cloud],
) -> None:
    cloud = make_cloud(round={"deadline_s": 30, "quorum": 1, "grace_s": 0.5})
    initialise(cloud)
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, WEIGHTS, 100)
    seal = Collector(cloud.services, state).poll_for(20)
    assert seal is not None and [answer.fog for answer in seal.answers] == ["fog-a"]
    cloud.fog_b.update(state.plan, WEIGHTS, 300)
    later = open_round(cloud, "run").state
    assert Collector(cloud.services, later).poll_for(1) is None
    assert verdicts(cloud, state.plan) == [("fog-a", "accepted"), ("fog-b", "stale")]


def test_two_collectors_at_once_judge_each_record_once(cloud: Cloud) -> None:
    initialise(cloud)
    state = open_round(cloud, "run").state
    seals = []
    both = [
        threading.Thread(target=lambda: seals.append(Collector(cloud.services, state).poll_for(20))) for _ in range(2)
    ]
    for thread in both:
        thread.start()
    cloud.fog_a.update(state.plan, WEIGHTS, 100)
    cloud.fog_b.update(state.plan, WEIGHTS, 300)
    for thread in both:
        thread.join(30)
    assert len(seals) == 2
    assert len({seal.digest() for seal in seals}) == 1
    assert verdicts(cloud, state.plan) == [("fog-a", "accepted"), ("fog-b", "accepted")]


def await_deadline(state: PlanState) -> None:
    wait_until(lambda: time.time() * 1000 > state.deadline_ms + 100, what="the deadline", deadline_s=60)


def test_a_straggler_after_the_deadline_is_recorded_and_unused(make_cloud: Callable[..., Cloud]) -> None:
    # The grace ends beyond the deadline, so the deadline closes; a third fog stays silent.
    fogs = {"fog-a": {"sensors": ["s1"]}, "fog-b": {"sensors": ["s2"]}, "fog-c": {"sensors": ["s3"]}}
    cloud = make_cloud(fogs=fogs, round={"deadline_s": 3, "quorum": 1, "grace_s": 60})
    initialise(cloud, "init", FogStandIn(cloud.services.kafka["bootstrap.servers"], "fog-c"))
    state = open_round(cloud, "run").state
    cloud.fog_a.update(state.plan, WEIGHTS, 100)
    await_deadline(state)
    cloud.fog_b.update(state.plan, [3.0, 4.0], 300)
    assert [answer.fog for answer in collect(cloud, state).answers] == ["fog-a"]
    rows = {row.fog: row for row in cloud.rows(state.plan)}
    assert {fog: row.verdict for fog, row in rows.items()} == {
        "fog-a": "accepted",
        "fog-b": "late",
        "fog-c": "no answer",
    }
    assert "after the deadline" in str(rows["fog-b"].reason)
    assert rows["fog-b"].after_s is not None and rows["fog-b"].after_s > 3


def test_a_quorum_may_be_a_share(make_cloud: Callable[..., Cloud]) -> None:
    cloud = make_cloud(round={"deadline_s": 30, "quorum": "50%", "grace_s": 0.2})
    initialise(cloud)
    state = open_round(cloud, "run").state
    assert state.plan.quorum == 1
    cloud.fog_b.update(state.plan, WEIGHTS, 100)
    assert [answer.fog for answer in collect(cloud, state).answers] == ["fog-b"]


def test_a_fog_that_joins_during_a_round_waits_for_the_next_plan(cloud: Cloud, tmp_path: Path) -> None:
    initialise(cloud)
    state = open_round(cloud, "run").state
    fog_c = FogStandIn(cloud.services.kafka["bootstrap.servers"], "fog-c")
    fogs = {"fog-a": {"sensors": ["s1"]}, "fog-b": {"sensors": ["s2"]}, "fog-c": {"sensors": ["s3"]}}
    name = cloud.federation.federation
    cloud.federation = small_federation(tmp_path, name=name, fogs=fogs)
    for fog in (fog_c, cloud.fog_a, cloud.fog_b):
        fog.update(state.plan, WEIGHTS, 100)
    assert [answer.fog for answer in collect(cloud, state).answers] == ["fog-a", "fog-b"]
    assert [(row.fog, row.cause) for row in cloud.rows(state.plan)][-1] == ("fog-c", "unknown_fog")
    later = open_round(cloud, "run").state
    for fog in (fog_c, cloud.fog_a, cloud.fog_b):
        fog.update(later.plan, WEIGHTS, 100)
    assert [answer.fog for answer in collect(cloud, later).answers] == ["fog-a", "fog-b", "fog-c"]


def test_what_could_not_be_read_is_listed_where_its_sender_is_a_member(cloud: Cloud) -> None:
    initialise(cloud)
    state = open_round(cloud, "run").state
    bad = (b"null", b"[]", b'"text"', b"{}", b"", b'{"kind": "update"', b"{}{}")
    for value in bad:
        cloud.fog_b.send(value)
    cloud.fog_a.update(state.plan, WEIGHTS, 100)
    cloud.fog_b.update(state.plan, [3.0, 4.0], 300)
    collect(cloud, state)
    rows = [(row.fog, row.verdict, row.cause) for row in cloud.rows(state.plan)]
    assert rows == [
        ("fog-a", "accepted", None),
        *[("fog-b", "rejected", "undecodable")] * len(bad),
        ("fog-b", "accepted", None),
    ]
