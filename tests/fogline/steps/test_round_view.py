"""What the ledger tells of a round, on rounds driven through the real broker."""

from fogline.airflow.pages.render import render_round
from fogline.ledger.round_view import RoundView, round_view
from fogline.rounds.judge import Verdict
from tests.support import rounds
from tests.support.cloud import Cloud


def view_of(cloud: Cloud, run: str) -> RoundView:
    with cloud.services.ledger.transaction() as session:
        view = round_view(session, cloud.federation.federation, "main", run)
    assert view is not None
    return view


def verdicts(view: RoundView, plan: int = 0) -> list[tuple[str | None, str]]:
    return [(answer.fog, answer.verdict) for answer in view.plans[plan].answers]


def test_a_committed_round_shows_base_result_verdicts_contributions_and_scores(cloud: Cloud) -> None:
    first = rounds.initialise(cloud)
    published = rounds.whole_round(cloud, "run-1", [1.0, 2.0])
    view = view_of(cloud, "run-1")
    assert (view.row.interval_index, view.row.outcome) == (0, "committed")
    assert view.base is not None and view.base.version == "main@0"
    assert view.result is not None and view.result.digest == published.model.digest != first.model.digest
    assert view.result.version == "main@1"
    assert [one.plan and one.plan.kind for one in view.plans] == ["train", "measure"]
    assert verdicts(view) == verdicts(view, 1) == [("fog-a", "accepted"), ("fog-b", "accepted")]
    assert [answer.n_examples for answer in view.plans[0].answers] == [100, 300]
    assert all(answer.after_s is not None and answer.after_s >= 0 for answer in view.plans[0].answers)
    assert view.aggregation is not None and [one.share for one in view.aggregation.contributions] == [0.25, 0.75]
    assert [(one.fog, one.base.rmse, one.candidate.rmse) for one in view.scores] == [
        ("fog-a", 2.0, 1.0),
        ("fog-b", 2.0, 1.0),
        (None, 2.0, 1.0),
    ]
    assert view.gate is not None and "2 → 1" in view.gate
    page = render_round(view, (), is_tab=False)
    assert "Contributions to the candidate" in page and page.count('<td class="words">accepted</td>') >= 2


def test_the_plans_of_the_next_round_do_not_mark_those_of_this_one_as_superseded(cloud: Cloud) -> None:
    rounds.initialise(cloud)
    rounds.whole_round(cloud, "run-1", [1.0, 2.0])
    rounds.whole_round(cloud, "run-2", [1.0, 3.0])
    view = view_of(cloud, "run-1")
    assert [one.superseded_by is not None for one in view.plans] == [True, True]
    assert [one.is_superseded for one in view.plans] == [False, False]


def test_an_open_round_shows_declines_strays_members_without_an_answer_and_its_older_plan(cloud: Cloud) -> None:
    rounds.initialise(cloud)
    old = rounds.open_round(cloud, "run-1")
    new = rounds.open_round(cloud, "run-1")
    cloud.fog_a.update(old.state.plan, [0.0, 0.0], 10)
    cloud.fog_a.answer(new.state.plan, kind="decline", reason="no readings")
    cloud.fog_b.send(b"not JSON")
    unknown = new.state.plan.model_copy(update={"plan_id": f"{cloud.federation.federation}/main/999"})
    cloud.fog_b.update(unknown, [0.0, 0.0], 1)
    collector = rounds.Collector(cloud.services, new.state)
    assert collector.poll_for(3) is None
    view = view_of(cloud, "run-1")
    assert view.row.is_open and view.result is None and view.gate is None and view.scores == ()
    assert [(one.is_superseded, one.seal_digest) for one in view.plans] == [(True, None), (False, None)]
    assert verdicts(view) == [("fog-a", Verdict.STALE), ("fog-b", Verdict.REJECTED)]
    assert verdicts(view, 1) == [("fog-a", Verdict.DECLINED), ("fog-b", Verdict.REJECTED)]
    assert view.plans[1].answers[0].reason == "no readings"
    assert [(answer.fog, answer.verdict) for answer in view.strays] == [("fog-b", Verdict.REJECTED)]


def test_what_belongs_to_another_round_is_not_shown(cloud: Cloud) -> None:
    rounds.initialise(cloud)
    cloud.fog_a.send(b"before the round")
    rounds.whole_round(cloud, "run-1", [1.0, 2.0])
    cloud.fog_a.send(b"after the round")
    rounds.whole_round(cloud, "run-2", [1.0, 3.0])
    assert view_of(cloud, "run-1").strays == ()
    plans = [one.plan for one in view_of(cloud, "run-2").plans]
    assert [plan and plan.interval and plan.interval.index for plan in plans] == [1, 1]


def test_a_round_trained_anew_shows_no_scores_of_the_candidate_before(cloud: Cloud) -> None:
    rounds.initialise(cloud)
    opened = rounds.open_round(cloud, "run-1")
    for fog in (cloud.fog_a, cloud.fog_b):
        fog.update(opened.state.plan, [1.0, 2.0], 10)
    rounds.aggregate_in_numpy(cloud, rounds.collect(cloud, opened.state), [1.0, 2.0])
    rounds.evaluate(cloud, "run-1")
    assert len(view_of(cloud, "run-1").scores) == 3
    rounds.open_round(cloud, "run-1")
    view = view_of(cloud, "run-1")
    assert view.scores == () and view.aggregation is None


def test_a_run_that_opened_no_round_has_no_view(cloud: Cloud) -> None:
    rounds.initialise(cloud)
    with cloud.services.ledger.transaction() as session:
        assert round_view(session, cloud.federation.federation, "main", "init") is None
