"""A browser that is logged in to the stack's Airflow. Chromium must be on the PATH."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


class Operator:
    """A person at Airflow's UI, and the REST API to wait with."""

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page, self.url = page, stack.settings.airflow_url
        self.runs = AirflowRuns(AirflowApi(self.url, USER, stack.parts.airflow.password))

    def log_in(self, password: str) -> None:
        """Log in as the stack's user."""
        self.page.goto(f"{self.url}/auth/login")
        self.page.get_by_label(re.compile("user", re.IGNORECASE)).fill(USER)
        self.page.get_by_label(re.compile("password", re.IGNORECASE)).first.fill(password)
        sign_in = self.page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE))
        sign_in.click()
        expect(sign_in).to_have_count(0)

    def open_form(self) -> None:
        """Open the form that starts runs."""
        self.page.goto(f"{self.url}/dags/{DAG}")
        self.page.get_by_role("button", name=re.compile("^Trigger")).first.click()
        expect(self.page.get_by_text("Interval to train (its start, UTC)")).to_be_visible()

    def confirm(self, name: str, path_ending: str) -> None:
        """Press a button and see that Airflow took the request that it makes."""
        with self.page.expect_response(
            lambda answer: answer.url.split("?")[0].endswith(path_ending) and answer.request.method == "POST"
        ) as posted:
            self.page.get_by_role("button", name=re.compile(f"^{name}$")).last.click()
        assert posted.value.ok, posted.value.text()

    def show_task(self, run_id: str, task_id: str, *texts: str) -> None:
        """Show a task's log and see that it says what it must."""
        self.page.goto(f"{self.url}/dags/{DAG}/runs/{run_id}/tasks/{task_id}")
        for text in texts:
            expect(self.page.get_by_text(re.compile(text)).first).to_be_visible(timeout=20_000)

    def wait(self, run_id: str) -> None:
        """Wait until a run has succeeded."""
        wait_until(lambda: self.runs.state(DAG, run_id) in ENDED, what=run_id, deadline_s=ROUND_S, every_s=0.5)
        self.runs.require_success(DAG, run_id)


@contextmanager
def operator() -> Iterator[Operator]:
    """Give an operator at the running stack."""
    stack = Stack()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        person = Operator(browser.new_page(viewport=SIZE), stack)
        person.log_in(stack.parts.airflow.password)
        yield person
        browser.close()
