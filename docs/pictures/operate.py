"""Operate rounds in a real browser: ``./fogline run python docs/pictures/operate.py`` while the demo is up.

A person backfills the next two intervals from the form, reads each task's log, clears the first round with everything
in it, and reads that it was reproduced. It fails when one of these can't be done or seen.
"""

import datetime as dt
import sys

from browser import DAG, HERE, ROUND_S, Operator, operator

from fogline.federation import federation_file, load_federation
from fogline.ledger.database import Ledger
from fogline.ledger.models import chain_of
from fogline.rounds.intervals import interval_at
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until

FEDERATION = load_federation(federation_file("wind_farm"))
N_ROUNDS = 2
STORY = {
    "announce_round": (r"Round for interval \d+ .* on main@\d+", "Plan wind_farm/main/"),
    "collect_weights": ("Verdicts on the answers to wind_farm/main/", "fog-4 +accepted"),
    "aggregate_weights": ("Aggregation of wind_farm/main/", "Candidate"),
    "evaluate_candidate": ("Held-out days, before and after", "all fogs"),
    "publish_global_model": ("Gate: RMSE", r"main@\d+ .* published"),
}


def chain() -> list[tuple[str, str]]:
    """Return the names and digests of the models from version 0 to the head."""
    with Ledger(Stack().parts.ledger_url).transaction() as session:
        return [(row.name, row.digest) for row in chain_of(session, "wind_farm", "main")]


def first_untrained() -> int:
    """Return the interval that follows the head's."""
    with Ledger(Stack().parts.ledger_url).transaction() as session:
        index = chain_of(session, "wind_farm", "main")[-1].interval_index
    return 0 if index is None else index + 1


def backfill(person: Operator, first: dt.datetime, last: dt.datetime) -> None:
    """Start a backfill from the form."""
    person.open_form()
    page = person.page
    page.get_by_text("Backfill", exact=True).first.click()
    for label, moment in (("From", first), ("To", last)):
        page.get_by_text(label, exact=True).locator("..").get_by_text("Select date and time").click()
        page.get_by_placeholder("YYYY/MM/DD").last.fill(f"{moment:%Y/%m/%d}")
        page.get_by_placeholder("HH:mm").last.fill(f"{moment:%H:%M}")
        page.get_by_placeholder("HH:mm").last.press("Enter")
        page.keyboard.press("Escape")
    person.confirm("Run Backfill", "/backfills")


def clear(person: Operator, run_id: str) -> None:
    """Clear a round with all its tasks."""
    page = person.page
    page.goto(f"{person.url}/dags/{DAG}/runs/{run_id}")
    page.get_by_role("button", name="Press shift+c to clear").click()
    page.get_by_text("Clear existing tasks", exact=True).click()
    person.confirm("Confirm", "/clear")


def run_of(person: Operator, index: int) -> str:
    """Return the run of an interval once it has succeeded."""
    start = interval_at(FEDERATION, index).start
    wait_until(lambda: person.runs.run_of(DAG, start) is not None, what=f"interval {index}", deadline_s=ROUND_S)
    run = person.runs.run_of(DAG, start)
    assert run is not None
    person.wait(run["dag_run_id"])
    return str(run["dag_run_id"])


def main() -> int:
    """Backfill, read, clear, read again."""
    first = first_untrained()
    with operator() as person:
        backfill(person, interval_at(FEDERATION, first).start, interval_at(FEDERATION, first + N_ROUNDS - 1).start)
        runs = [run_of(person, index) for index in range(first, first + N_ROUNDS)]
        for run_id in runs:
            for task_id, texts in STORY.items():
                person.show_task(run_id, task_id, *texts)
        before = chain()
        clear(person, runs[0])
        person.wait(runs[0])
        person.show_task(runs[0], "publish_global_model", "reproduced to the byte; nothing to publish")
        person.page.screenshot(path=HERE / "reproduced.png")
        assert chain() == before
    print(f"{', '.join(runs)}: backfilled from the form, every log read; {runs[0]} cleared and reproduced")
    return 0


if __name__ == "__main__":
    sys.exit(main())
