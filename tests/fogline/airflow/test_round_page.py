"""A round's page: what it says, and that nothing a fog says can do more than be read."""

import datetime as dt
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from fogline.airflow.pages.access import TaskOfRun, may_read_round, may_read_runs_of_dag, open_ledger, tasks_of_round
from fogline.airflow.pages.addresses import branches_of_dag, candidate_of_run, page_of_run, round_page
from fogline.airflow.pages.app import create_app
from fogline.artifacts import ArtifactStore
from fogline.dag_ids import ROUND, dag_id
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.ledger.plans import PlanKey, record_announcement, record_body, reserve_plan
from fogline.ledger.rounds import FAILED, end_round, open_round
from fogline.ledger.schema import AnswerRow, ResultRow
from fogline.messages.plan import ModelReference
from fogline.messages.seal import Candidate, Result
from tests.support.federations import small_federation
from tests.support.pages import get
from tests.support.plans import some_weights, train_plan, update

SCRIPT = "<script>alert('fog')</script>"
RUN = "backfill__2024-01-01T00:00:00+00:00"
NOW = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with a failed round, whose one answer holds markup wherever a fog may write."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    upgrade(url)
    ledger, federation = Ledger(url), small_federation(tmp_path)
    with ledger.transaction() as session:
        base = ModelReference(name="base", version="main@0", weights=some_weights())
        plan = train_plan(federation, models=(base,))
        assert plan.interval is not None
        row = open_round(session, "small", "main", RUN, plan.interval, 1, NOW, NOW)
        reserve_plan(session, PlanKey("small", "main", plan.purpose), RUN, row.id)
        record_body(session, plan)
        record_announcement(session, plan, 1_000_000)
        answer = {"federation": "small", "topic": "model-updates", "partition": 0, "append_time_ms": 1_002_500}
        body = update(plan, "fog-a", update_norm_l2=0.125).to_bytes().decode()
        said = {"plan_id": plan.plan_id, "verdict": "rejected", "cause": SCRIPT, "reason": SCRIPT, "body": body}
        session.add(AnswerRow(**answer, **said, offset=0, fog=SCRIPT))
        end_round(row, FAILED, NOW, f"below quorum: {SCRIPT}")
    return ledger


@pytest.fixture
def app(ledger: Ledger) -> FastAPI:
    app = create_app()
    app.dependency_overrides = {
        may_read_round: lambda: None,
        may_read_runs_of_dag: lambda: None,
        open_ledger: lambda: ledger,
        tasks_of_round: lambda: [TaskOfRun("collect_weights", "failed")],
    }
    return app


def test_the_page_tells_a_failed_round_by_every_member(app: FastAPI) -> None:
    answer = get(app, "/rounds/small/main/" + RUN.replace("+", "%2B"))
    assert answer.status_code == 200
    for expected in ("<strong>failed</strong>: below quorum", "no answer", "rejected", "0.125", "2.5", "Not sealed."):
        assert expected in answer.text
    assert "fog-b</th>" in answer.text and "collect_weights</a> (failed)" in answer.text


def test_what_a_fog_says_is_text_and_never_markup(app: FastAPI) -> None:
    answer = get(app, f"/rounds/small/main/{RUN}")
    assert "<script" not in answer.text and answer.text.count("&lt;script&gt;") == 4
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    refusal = get(app, "/rounds/small/main/<script>")
    assert refusal.status_code == 404 and "<script" not in refusal.text


def test_a_page_needs_nothing_from_elsewhere(app: FastAPI) -> None:
    text = get(app, f"/rounds/small/main/{RUN}").text
    assert all(tag not in text for tag in ("src=", "<link", "url(", "http://", "https://"))


def test_inside_airflow_no_link_opens_airflow_within_airflow(app: FastAPI) -> None:
    run = RUN.replace("+", "%2B")
    assert f'href="/dags/federated_round__small/runs/{quote(RUN)}"' in get(app, f"/rounds/small/main/{run}").text
    led = get(app, f"/dags/federated_round__small/runs/{run}?tab=true").headers["location"]
    tab = get(app, led.removeprefix("/fogline"))
    assert tab.status_code == 200 and "collect_weights" in tab.text and "href=" not in tab.text


def test_a_run_without_a_round_is_a_sentence(app: FastAPI) -> None:
    answer = get(app, "/rounds/small/main/other")
    assert answer.status_code == 404
    assert "The ledger has no round of run other on branch main of small." in answer.text


def test_a_dag_run_leads_to_its_round_whatever_underscores_its_names_have(app: FastAPI) -> None:
    answer = get(app, page_of_run("federated_round__small", RUN).removeprefix("/fogline"))
    assert answer.is_redirect and answer.headers["location"] == round_page("small", "main", RUN)
    assert get(app, "/dags/evaluate_model__small/runs/1").status_code == 404
    for federation, branch in (("a", "main"), ("a", "b"), ("a__b", "c"), ("a", "b__c"), ("a__b", "main")):
        assert (federation, branch) in branches_of_dag(dag_id(ROUND, federation, branch))


def test_the_candidate_is_a_file_to_take_away(app: FastAPI, ledger: Ledger, tmp_path: Path) -> None:
    store, digest = ArtifactStore(tmp_path.as_uri()), "ab" * 32
    app.dependency_overrides[ArtifactStore.from_environment] = lambda: store
    path = candidate_of_run("federated_round__small", RUN).removeprefix("/fogline")
    assert "has made no candidate" in get(app, path).text
    made = Candidate(digest=digest, n_parameters=1, n_examples=1, path="candidate.safetensors")
    result = Result(plan_id="small/main/1", seal_digest="", candidate=made, contributions=())
    with ledger.transaction() as session:
        session.add(ResultRow(plan_id="small/main/1", body=result.to_bytes().decode(), recorded_at=NOW))
    gone = get(app, path)
    assert gone.status_code == 404 and "the model store has no candidate.safetensors" in gone.text
    store.write("candidate.safetensors", b"weights")
    answer = get(app, path)
    assert answer.content == b"weights" and f'"{digest}.safetensors"' in answer.headers["content-disposition"]


def test_a_ledger_that_is_away_is_a_sentence(app: FastAPI) -> None:
    away = Ledger("postgresql+psycopg2://fogline:secret@127.0.0.1:1/fogline")
    app.dependency_overrides[open_ledger] = lambda: away
    answer = get(app, "/rounds/small/main/1")
    assert answer.status_code == 503
    assert "does not answer" in answer.text and "secret" not in answer.text and "Traceback" not in answer.text
