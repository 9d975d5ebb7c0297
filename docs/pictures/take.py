"""Take the README's pictures with a real browser: ``./fogline run python docs/pictures/take.py`` while the demo is up.

It does what a person would: log in to Airflow, start a round from the form, and read the verdicts in the log of
`collect_weights`; it fails when one of these can't be seen. Chromium must be on the PATH.
"""

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from fogline.stack.airflow import USER
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.airflow_runs import ENDED, AirflowRuns
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until

HERE = Path(__file__).parent
DAG = "federated_round__wind_farm"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"]
ROUND_S = 180
SIZE = {"width": 1440, "height": 900}


def log_in(page: Page, url: str, password: str) -> None:
    """Log in as the stack's user."""
    page.goto(f"{url}/auth/login")
    page.get_by_label(re.compile("user", re.IGNORECASE)).fill(USER)
    page.get_by_label(re.compile("password", re.IGNORECASE)).first.fill(password)
    sign_in = page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE))
    sign_in.click()
    expect(sign_in).to_have_count(0)


def start_round(page: Page, url: str) -> None:
    """Start a round from its form."""
    page.goto(f"{url}/dags/{DAG}")
    page.get_by_role("button", name=re.compile("^Trigger")).first.click()
    expect(page.get_by_text("Interval to train (its start, UTC)")).to_be_visible()
    page.screenshot(path=HERE / "form.png")
    with page.expect_response(
        lambda answer: answer.url.endswith("/dagRuns") and answer.request.method == "POST"
    ) as posted:
        page.get_by_role("button", name=re.compile("^Trigger$")).last.click()
    assert posted.value.ok, posted.value.text()


def show_grid(page: Page, url: str, run_id: str) -> None:
    """Show a finished round in the grid."""
    page.goto(f"{url}/dags/{DAG}/runs/{run_id}")
    expect(page.get_by_text("announce_round").first).to_be_visible()
    expect(page.get_by_text("Success").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / "round-in-grid.png")


def show_log(page: Page, url: str, run_id: str) -> None:
    """Show the verdicts in the log of the collecting task."""
    page.goto(f"{url}/dags/{DAG}/runs/{run_id}/tasks/collect_weights")
    verdicts = page.get_by_text(re.compile("Verdicts on the answers to wind_farm/main/"))
    expect(verdicts.first).to_be_visible(timeout=20_000)
    for fog in ("fog-1", "fog-2", "fog-3", "fog-4"):
        expect(page.get_by_text(re.compile(f"{fog} +accepted")).first).to_be_visible()
    page.screenshot(path=HERE / "collect-log.png")


def main() -> int:
    """Take all pictures."""
    stack = Stack()
    url, password = stack.settings.airflow_url, stack.parts.airflow.password
    api = AirflowApi(url, USER, password)
    runs = AirflowRuns(api)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport=SIZE)
        log_in(page, url, password)
        start_round(page, url)
        run_id = runs.newest(DAG)
        wait_until(lambda: runs.state(DAG, run_id) in ENDED, what=run_id, deadline_s=ROUND_S, every_s=0.5)
        runs.require_success(DAG, run_id)
        show_grid(page, url, run_id)
        show_log(page, url, run_id)
        browser.close()
    print(f"{run_id}: triggered from the form; four verdicts read in the browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
