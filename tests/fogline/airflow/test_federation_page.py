"""A federation's page on the real Postgres: what it shows and to whom, and that what a fog says can only be read."""

import base64
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI

from fogline.airflow.pages.access import open_ledger
from fogline.airflow.pages.addresses import federations_of_dag
from fogline.airflow.pages.airflow_side import AirflowSide, airflow_side
from fogline.airflow.pages.app import create_app
from fogline.airflow.pages.rights import rights_of_user
from fogline.dag_ids import COMPARE_BRANCHES, NEW_BRANCH, PROMOTE_BRANCH, ROLL_BACK, ROUND, dag_id
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.rounds.judge import Judgement, Verdict
from tests.support.databases import new_database
from tests.support.federations import small_federation
from tests.support.ledgers import REJECTED, Chronicle
from tests.support.pages import get

SCRIPT = "<script>alert('fog')</script>"
PAGE = "/federations/small"
MAIN_DAG, OTHER_DAG = dag_id(ROUND, "small"), dag_id(ROUND, "small", "other")
ACTION_DAGS = tuple(dag_id(kind, "small") for kind in (COMPARE_BRANCHES, NEW_BRANCH, PROMOTE_BRANCH, ROLL_BACK))


@dataclass
class RightsStandIn:
    """What a user may do; by default everything."""

    unreadable: set[str] = field(default_factory=set)
    unstartable: set[str] = field(default_factory=set)
    uneditable: set[str] = field(default_factory=set)

    def readable(self, dag_ids: Collection[str]) -> set[str]:
        return {*dag_ids} - self.unreadable

    def startable(self, dag_ids: Collection[str]) -> set[str]:
        return {*dag_ids} - self.unstartable

    def editable(self, dag_ids: Collection[str]) -> set[str]:
        return {*dag_ids} - self.uneditable


@dataclass(frozen=True)
class AirflowStandIn(AirflowSide):
    """An Airflow with the federation's DAGs, which has deleted the run of the first round."""

    paused: bool = False

    def federations(self) -> list[str]:
        return ["small", "young"]

    def dags(self, federation: str) -> dict[str, bool]:
        return dict.fromkeys((MAIN_DAG, OTHER_DAG, *ACTION_DAGS), self.paused) if federation == "small" else {}

    def telling_tasks(self, rounds: str, dag_run_ids: Collection[str]) -> dict[str, str]:
        return {run: "publish_global_model" for run in dag_run_ids if run != "main-0"}


@pytest.fixture(scope="module")
def ledger(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Main with three rounds, of which the last one failed by answers with markup in them, and another branch."""
    url = new_database(postgres)
    upgrade(url)
    chronicle = Chronicle(Ledger(url), small_federation(tmp_path_factory.mktemp("federation")))
    chronicle.begin()
    first = chronicle.round(0, error=3.0)
    assert first is not None
    chronicle.round(1, error=2.125)
    chronicle.round(2, judgements={"fog-a": REJECTED, "fog-b": Judgement(Verdict.LATE, None, SCRIPT)})
    chronicle.branch("other", first)
    chronicle.round(1, "other", error=1.625)
    yield chronicle.ledger
    chronicle.ledger.engine.dispose()


@pytest.fixture
def rights() -> RightsStandIn:
    return RightsStandIn()


@pytest.fixture
def app(ledger: Ledger, rights: RightsStandIn) -> FastAPI:
    app = create_app()
    app.dependency_overrides = {
        open_ledger: lambda: ledger,
        airflow_side: AirflowStandIn,
        rights_of_user: lambda: rights,
    }
    return app


def words(html: str) -> str:
    """Return a page's text without its tags, with single spaces."""
    return " ".join(re.sub(r"<script>.*?</script>|<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL).split())


class Fields(HTMLParser):
    """The fields of a page's forms and what labels them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.unlabelled: list[str] = []
        self.labelled: set[str] = set(re.findall(r'<label for="([^"]+)"', html))
        self.open_labels = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open_labels += tag == "label"
        if (
            tag in ("input", "select", "textarea")
            and not self.open_labels
            and dict(attrs).get("id") not in self.labelled
        ):
            self.unlabelled.append(str(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.open_labels -= tag == "label"


def test_the_page_tells_the_branches_their_errors_and_the_verdicts(app: FastAPI) -> None:
    answer = get(app, PAGE)
    assert answer.status_code == 200
    said = words(answer.text)
    for expected in (
        "main Head main@2",
        "other Head other@1",
        "Began at main@1,",
        "2 other@1 committed",
        "1 2024-01-02 00:00 main@2 2.125 other@1 1.625",
        "✗ failed below quorum",
        "✗ rejected weights: rejected: not_finite: block 0 holds NaN",
        "✓ committed RMSE 2 → 1 on held-out days main@2 ✓ accepted ✓ accepted round run log",
        "Airflow has deleted the run",
        "fog-a 8 4",
    ):
        assert expected in said, expected
    assert 'href="/fogline/rounds/small/main/main-1"' in answer.text
    assert f'href="/dags/{MAIN_DAG}/runs/main-1/tasks/publish_global_model"' in answer.text


def test_the_rounds_of_the_other_branch_are_a_click_away(app: FastAPI) -> None:
    assert f'href="/fogline{PAGE}?branch=other#rounds"' in get(app, PAGE).text
    said = words(get(app, f"{PAGE}?branch=other").text)
    assert "1 round of other" in said and "held-out days other@1" in said


def test_the_picture_has_a_line_for_each_branch_and_loads_nothing(app: FastAPI) -> None:
    assert f'src="/fogline{PAGE}/errors.svg"' in get(app, PAGE).text
    answer = get(app, f"{PAGE}/errors.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert ">main<" in answer.text and ">other<" in answer.text and "prefers-color-scheme: dark" in answer.text
    assert "currentColor" in answer.text and 'href="http' not in answer.text


def test_only_the_branches_that_the_user_may_read_are_shown(app: FastAPI, rights: RightsStandIn) -> None:
    rights.unreadable = {OTHER_DAG}
    page = get(app, PAGE).text
    assert "main@2" in page and "other" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL).replace(
        "another", ""
    )
    assert ">other<" not in get(app, f"{PAGE}/errors.svg").text
    refusal = get(app, f"{PAGE}?branch=other")
    assert refusal.status_code == 404 and "other@1" not in refusal.text
    rights.unreadable = {MAIN_DAG}
    said = words(get(app, PAGE).text)
    assert "1 round of other" in said and "other@1" in said and "main@2" not in said


def test_whoever_may_read_no_branch_is_refused_whether_there_is_a_federation_or_not(
    app: FastAPI, rights: RightsStandIn
) -> None:
    assert get(app, "/federations/orchard").status_code == 404
    rights.unreadable = {MAIN_DAG, OTHER_DAG, dag_id(ROUND, "orchard"), dag_id(ROUND, "young"), ACTION_DAGS[0]}
    for path in (
        PAGE,
        f"{PAGE}/errors.svg",
        "/federations/orchard",
        "/",
        f"/dags/{MAIN_DAG}",
        f"/dags/{ACTION_DAGS[0]}",
    ):
        answer = get(app, path)
        assert answer.status_code == 403 and "fog-a" not in answer.text and "may not read" in answer.text, path


def test_the_list_has_every_federation_with_its_branches(app: FastAPI, rights: RightsStandIn) -> None:
    said = words(get(app, "/").text)
    assert "small : main, other" in said and "young : main" in said
    rights.unreadable = {dag_id(ROUND, "young"), OTHER_DAG}
    said = words(get(app, "/").text)
    assert "small : main" in said and "other" not in said and "young" not in said


def test_actions_are_those_that_the_user_may_start(app: FastAPI, rights: RightsStandIn) -> None:
    page = get(app, PAGE).text
    assert all(f'data-dag="{dag}"' in page for dag in ACTION_DAGS)
    rights.unstartable = set(ACTION_DAGS[2:])
    page = get(app, PAGE).text
    assert [f'data-dag="{dag}"' in page for dag in ACTION_DAGS] == [True, True, False, False]
    rights.unstartable = set(ACTION_DAGS)
    page = get(app, PAGE).text
    assert "<form" not in page and "There is none that you may take here." in page


def test_what_moves_a_head_is_asked_about_before_and_a_comparison_is_not(app: FastAPI) -> None:
    forms = re.findall(r"<form data-dag=\"(\w+)\"[^>]*>", get(app, PAGE).text)
    asked = re.findall(r"<form data-dag=\"(\w+)\"[^>]*data-question=", get(app, PAGE).text)
    assert set(forms) == set(ACTION_DAGS) and asked == [ACTION_DAGS[2], ACTION_DAGS[3]]


def test_every_field_has_a_label(app: FastAPI) -> None:
    page = get(app, PAGE).text
    assert page.count("<input") >= 5 and Fields(page).unlabelled == []


def test_a_paused_dag_is_told_and_can_be_let_run_by_whoever_may(app: FastAPI, rights: RightsStandIn) -> None:
    assert "paused" not in words(get(app, PAGE).text)
    app.dependency_overrides[airflow_side] = lambda: AirflowStandIn(paused=True)
    assert get(app, PAGE).text.count("data-unpause checked") == len(ACTION_DAGS)
    rights.uneditable = set(ACTION_DAGS)
    page = get(app, PAGE).text
    assert "data-unpause checked" not in page and "its run waits until somebody lets it run" in page


def test_what_a_fog_says_is_text_and_the_only_script_is_the_page_s_own(app: FastAPI) -> None:
    answer = get(app, PAGE)
    assert answer.text.count("<script") == 1 and "&lt;script&gt;alert" in answer.text
    policy = answer.headers["content-security-policy"]
    script = re.search(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy and "unsafe-eval" not in policy


def test_the_page_needs_nothing_from_elsewhere(app: FastAPI) -> None:
    text = get(app, PAGE).text
    assert all(tag not in text for tag in ("<link", "url(", "http://", "https://", "@import"))
    assert re.findall(r'src="([^"]*)"', text) == [f"/fogline{PAGE}/errors.svg"]


def test_a_dag_of_a_federation_leads_to_its_page(app: FastAPI) -> None:
    assert get(app, f"/dags/{OTHER_DAG}").headers["location"] == f"/fogline{PAGE}?branch=other"
    assert get(app, f"/dags/{ACTION_DAGS[0]}").headers["location"] == f"/fogline{PAGE}?branch=main"
    assert get(app, "/dags/nightly_report").status_code == 404
    assert federations_of_dag("federated_round__a__b") == [("a__b", "main"), ("a", "b")]
    assert federations_of_dag("record_history__a") == [("a", "main")]


def test_a_federation_without_a_model_says_what_to_run(app: FastAPI) -> None:
    young = {dag_id(ROUND, "young"): False}
    app.dependency_overrides[airflow_side] = lambda: type("Young", (AirflowStandIn,), {"dags": lambda *_: young})()
    answer = get(app, "/federations/young")
    assert answer.status_code == 200
    assert "run initialise_federation__young first" in words(answer.text)
    assert get(app, "/federations/young/errors.svg").status_code == 404


def test_a_page_number_that_is_none_is_a_sentence(app: FastAPI) -> None:
    assert get(app, f"{PAGE}?page=99").status_code == 200
    answer = get(app, f"{PAGE}?page=x")
    assert answer.status_code == 422 and answer.headers["content-type"].startswith("text/html")


def test_a_ledger_that_is_away_is_a_sentence(app: FastAPI, tmp_path: Path) -> None:
    away = Ledger("postgresql+psycopg2://fogline:secret@127.0.0.1:1/fogline")
    app.dependency_overrides[open_ledger] = lambda: away
    answer = get(app, PAGE)
    assert answer.status_code == 503 and "does not answer" in answer.text and "secret" not in answer.text
