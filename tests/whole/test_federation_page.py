"""The Federation page in a real Chromium on the whole stack: read, on a phone, by keyboard, inside Airflow itself."""

import os
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fogline.dag_ids import COMPARE_BRANCHES, dag_id
from fogline.ledger import models
from fogline.stack.airflow_api import TIMEOUT_S
from fogline.stack.patience import patient_client
from fogline.steps.services import utc_now
from tests.support.debian import program
from tests.support.farm import NAME, ROUNDS, Farm
from tests.support.logins import token_of, token_with_role

pytestmark = pytest.mark.timeout(600)
PAGE = f"/fogline/federations/{NAME}"
PAGES = ("/fogline/", PAGE, f"{PAGE}/errors.svg", f"/fogline/dags/{ROUNDS}")
COMPARE = dag_id(COMPARE_BRANCHES, NAME)
RUNS_OF_COMPARE = f"/api/v2/dags/{COMPARE}/dagRuns"
TWIN = "a_twin"
FOGS = ("fog-1", "fog-2", "fog-3", "fog-4")
MOST_TABS = 300
ENDS_MS, SHOWS_MS = 120_000, 30_000
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


@pytest.fixture(scope="module")
def client(farm: Farm) -> httpx.Client:
    return patient_client(farm.stack.settings.airflow_url, TIMEOUT_S)


@pytest.fixture(scope="module")
def token(farm: Farm, client: httpx.Client) -> str:
    return token_of(farm.stack, client)


@pytest.fixture(scope="module")
def run_id(farm: Farm) -> str:
    """A round of main, and a second branch beside it."""
    run_id = farm.backfill(0, 0)[0]
    with farm.ledger.transaction() as session:
        origin = models.chain_of(session, NAME, "main", with_scores=True)[1]
        row = models.copy_model(session, origin, TWIN, 0, utc_now())
        models.move_head(session, row, 1, "branched", "a test", utc_now())
    return run_id


@pytest.fixture(scope="module")
def browser(farm: Farm) -> Iterator[Browser]:
    chromium = program(farm.stack.settings.tools, "chromium", "usr/lib/chromium/chromium")
    environment: dict[str, str | float | bool] = {**os.environ, **chromium.environment}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path, args=CHROMIUM, env=environment)
        yield browser
        browser.close()


@pytest.fixture
def page(farm: Farm, browser: Browser, token: str, run_id: str) -> Iterator[Page]:
    """A page of a browser that is logged in; a script's error fails the test."""
    url = farm.stack.settings.airflow_url
    context = browser.new_context(base_url=url, viewport={"width": 1200, "height": 900})
    context.add_cookies([{"name": "_token", "value": token, "url": url, "httpOnly": True, "sameSite": "Lax"}])
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def n_comparisons(client: httpx.Client, token: str) -> int:
    answer = client.get(RUNS_OF_COMPARE, headers={"Authorization": f"Bearer {token}"})
    return int(answer.raise_for_status().json()["total_entries"])


def tab_to(page: Page, text: str) -> None:
    """Press Tab until what begins with a text, or is the field of a label that does, has the focus."""
    said = "(e => (e.labels?.[0] ?? e).textContent.trim())(document.activeElement)"
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if str(page.evaluate(said)).startswith(text):
            return
    raise AssertionError(f"{text!r} can't be reached by Tab")


def test_nobody_sees_a_federation_without_logging_in(client: httpx.Client, run_id: str) -> None:
    for address in PAGES:
        answer = client.get(address)
        assert answer.status_code == 401 and "fog-1" not in answer.text, address
        assert "/api/v2/auth/login?next=" in answer.text


def test_nobody_sees_a_federation_whose_dags_they_may_not_read(
    farm: Farm, client: httpx.Client, token: str, run_id: str
) -> None:
    header = {"Authorization": f"Bearer {token_with_role(farm.stack, token, None)}"}
    for address in PAGES:
        answer = client.get(address, headers=header)
        assert answer.status_code == 403 and "fog-1" not in answer.text, address


def test_who_may_only_read_is_offered_no_action_and_airflow_refuses_it_too(
    farm: Farm, client: httpx.Client, token: str, run_id: str
) -> None:
    header = {"Authorization": f"Bearer {token_with_role(farm.stack, token, 'viewer')}"}
    answer = client.get(PAGE, headers=header)
    assert answer.status_code == 200 and "fog-1" in answer.text and "<form" not in answer.text
    body = {"logical_date": None, "conf": {"first": "main", "second": TWIN}}
    assert client.post(RUNS_OF_COMPARE, json=body, headers=header).status_code == 403
    assert "<form" in client.get(PAGE, headers={"Authorization": f"Bearer {token}"}).text


def test_the_cookie_alone_starts_nothing_by_what_another_site_s_form_can_send(client: httpx.Client, token: str) -> None:
    before = n_comparisons(client, token)
    body = '{"logical_date": null, "conf": {"first": "main", "second": "main"}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        header = {"Cookie": f"_token={token}", **({"Content-Type": kind} if kind else {})}
        assert client.post(RUNS_OF_COMPARE, content=body, headers=header).status_code == 422, kind
    elsewhere = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "content-type"}  # fmt: skip
    assert "access-control-allow-origin" not in client.options(RUNS_OF_COMPARE, headers=elsewhere).headers
    assert n_comparisons(client, token) == before


def test_the_page_shows_the_branch_the_picture_and_the_verdicts(page: Page, run_id: str) -> None:
    page.goto(PAGE)
    expect(page.get_by_role("heading", name="main", exact=True)).to_be_visible()
    picture = page.get_by_role("img")
    expect(picture).to_have_js_property("complete", True)
    assert int(picture.evaluate("image => image.naturalWidth")) > 0
    row = page.get_by_role("region", name="Rounds of main by fog").locator(
        "tr", has=page.get_by_label(f"run {run_id}").first
    )
    assert row.locator("td", has_text="✓ accepted").count() == len(FOGS)
    expect(row).to_contain_text("main@1")
    outcome = row.get_by_text("committed")
    outcome.press("Enter")
    expect(row.get_by_text("on held-out days").or_(row.get_by_text("not judged"))).to_be_visible()
    row.get_by_label("round of interval 0").click()
    expect(page.get_by_role("heading", name="Plans and verdicts")).to_be_visible()


def test_on_a_phone_nothing_but_the_tables_scrolls_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(PAGE)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    matrix = page.get_by_role("region", name="Rounds of main by fog")
    assert matrix.evaluate("box => box.scrollWidth > box.clientWidth")


def test_a_comparison_is_started_by_keyboard_alone_and_its_run_ends(
    page: Page, farm: Farm, client: httpx.Client, token: str
) -> None:
    page.goto(PAGE)
    tab_to(page, "Compare two branches")
    page.keyboard.press("Enter")
    tab_to(page, "Other branch")
    page.keyboard.type(TWIN)
    tab_to(page, "Compare")
    page.keyboard.press("Enter")
    status = page.locator("details[open]").get_by_role("status")
    expect(status).to_contain_text(": success;", timeout=ENDS_MS)
    (run,) = client.get(
        RUNS_OF_COMPARE, params={"order_by": "-run_after", "limit": 1}, headers={"Authorization": f"Bearer {token}"}
    ).json()["dag_runs"]
    assert run["conf"] == {"first": "main", "second": TWIN} and run["triggering_user_name"] == "admin"
    assert f'href="/dags/{COMPARE}/runs/{quote(run["dag_run_id"], safe="")}"' in status.inner_html()


def test_a_rollback_asks_before_and_what_airflow_refuses_is_a_sentence(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method != "GET" else None)
    page.goto(PAGE)
    page.get_by_text("Roll a head back").click()
    form = page.locator("form", has=page.get_by_role("button", name="Roll back"))
    form.get_by_label("Version").fill("main@0")
    form.get_by_role("button", name="Roll back").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Move the head of main back to main@0?")
    expect(question.get_by_role("button", name="Leave it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    assert asked == []
    page.get_by_text("Compare two branches").click()
    refusal = {"status": 403, "json": {"detail": "Forbidden"}}
    page.route("**/api/v2/**", lambda route: route.fulfill(**refusal))
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("form", has=page.get_by_role("button", name="Compare")).get_by_role("status")).to_contain_text(
        "you lack the right"
    )


def test_inside_airflow_the_page_is_an_entry_and_a_tab_whose_links_move_airflow_itself(page: Page, run_id: str) -> None:
    page.goto("/dags")
    page.get_by_role("link", name="Federations").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name=NAME).click(timeout=SHOWS_MS)
    frame.get_by_label("round of interval 0").first.click()
    expect(frame.get_by_role("heading", name="Plans and verdicts")).to_be_visible(timeout=SHOWS_MS)
    page.goto(f"/dags/{ROUNDS}/plugin/federation")
    frame.get_by_label(f"run {run_id}", exact=True).click(timeout=SHOWS_MS)
    page.wait_for_url(f"**/dags/{ROUNDS}/runs/**", timeout=SHOWS_MS)
