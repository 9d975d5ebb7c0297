"""Collecting answers from a real broker: verdicts, cursor, closing."""

import threading
from collections.abc import Callable

import pytest

from fogline.ledger.answers import verdicts_of
from fogline.messages.plan import Plan
from fogline.steps.collect import Collector, QuorumNotMet
from tests.support.cloud import Cloud
from tests.support.rounds import initialise, open_round

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
