"""Take the README's pictures with a real browser: ``./fogline run python docs/pictures/take.py`` while the demo is up.

It does what a person would: start a round from the form, and read the verdicts in the log of `collect_weights`; it
fails when one of these can't be seen.
"""

import sys

from browser import DAG, HERE, Operator, operator
from playwright.sync_api import ViewportSize, expect

FOGS = ("fog-1", "fog-2", "fog-3", "fog-4")
DESK, PHONE = ViewportSize(width=1280, height=1500), ViewportSize(width=390, height=844)


def start_round(person: Operator) -> str:
    """Start a round from its form and return its run."""
    person.open_form()
    person.page.screenshot(path=HERE / "form.png")
    person.confirm("Trigger", "/dagRuns")
    return person.runs.newest(DAG)


def show_grid(person: Operator, run_id: str) -> None:
    """Show a finished round in the grid."""
    person.page.goto(f"{person.url}/dags/{DAG}/runs/{run_id}")
    expect(person.page.get_by_text("announce_round").first).to_be_visible()
    expect(person.page.get_by_text("Success").first).to_be_visible()
    person.page.wait_for_load_state("networkidle")
    person.page.screenshot(path=HERE / "round-in-grid.png")


def show_page(person: Operator, run_id: str) -> None:
    """Show the round's page."""
    person.page.goto(f"{person.url}/fogline/rounds/wind_farm/main/{run_id}")
    for fog in FOGS:
        expect(person.page.get_by_text(fog).first).to_be_visible()
    person.page.screenshot(path=HERE / "round-page.png")


def show_federation(person: Operator) -> None:
    """Show the federation's page as on a desk and as on a phone."""
    page = person.page
    for name, size in (("federation-page", DESK), ("federation-page-phone", PHONE)):
        page.set_viewport_size(size)
        page.goto(f"{person.url}/fogline/federations/wind_farm")
        for fog in FOGS:
            expect(page.get_by_text(fog).first).to_be_attached()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=HERE / f"{name}.png")


def main() -> int:
    """Take all pictures."""
    with operator() as person:
        run_id = start_round(person)
        person.wait(run_id)
        show_grid(person, run_id)
        verdicts = [f"{fog} +accepted" for fog in FOGS]
        person.show_task(run_id, "collect_weights", "Verdicts on the answers to wind_farm/main/", *verdicts)
        person.page.screenshot(path=HERE / "collect-log.png")
        show_page(person, run_id)
        show_federation(person)
    print(f"{run_id}: triggered from the form; four verdicts read in the browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
