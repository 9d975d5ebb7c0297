"""Pages as HTML: one file each, with nothing to load from elsewhere, so that they show behind any firewall."""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fogline.airflow.pages import addresses
from fogline.airflow.pages.access import TaskOfRun
from fogline.dag_ids import ROUND, dag_id
from fogline.ledger.round_view import RoundView

ABSENT = "-"


def render_round(view: RoundView, tasks: Sequence[TaskOfRun], *, is_tab: bool) -> str:
    """Return a round's page.

    Parameters
    ----------
    tasks
        The tasks of its DAG run; empty when Airflow has deleted that run.
    is_tab
        Whether it is shown inside Airflow's page of the run. What a link there leads to would open in the tab, Airflow
        within Airflow, and Airflow's sandbox has no way out; so it has none, and the run and its tasks are around it.
    """
    row = view.row
    rounds = dag_id(ROUND, row.federation, row.branch)
    return (
        templates()
        .get_template("round.html.j2")
        .render(
            view=view,
            row=row,
            plan=view.training_plan,
            is_tab=is_tab,
            run_address=addresses.run_in_airflow(rounds, row.dag_run_id),
            tasks=[(task, addresses.task_in_airflow(rounds, row.dag_run_id, task.task_id)) for task in tasks],
        )
    )


def render_refusal(sentence: str, login: str | None) -> str:
    """Return a page that says why there is nothing to see, and where to log in if that is the reason."""
    return templates().get_template("refusal.html.j2").render(sentence=sentence, login=login)


@cache
def templates() -> Environment:
    """Return the templates of all pages."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        # Names and reasons come from fogs, which anybody with access to a broker may be.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, number=_number, n_bytes=_n_bytes)
    return environment


def _moment(value: dt.datetime | None) -> str:
    return ABSENT if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _number(value: float | str | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _n_bytes(value: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1000 * size else f"{value / size:,.0f} {unit}"
    return f"{value} B"
