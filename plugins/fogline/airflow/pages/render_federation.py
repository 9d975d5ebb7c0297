"""The list of federations and a federation's page as HTML, with the one script that they have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fogline.airflow.pages import addresses
from fogline.airflow.pages.actions import Action
from fogline.airflow.pages.render import templates
from fogline.dag_ids import INITIALISE, ROUND, dag_id
from fogline.ledger import matrix
from fogline.ledger.federation_view import FederationView
from fogline.ledger.matrix import Matrix
from fogline.ledger.traffic import LinkTraffic
from fogline.ledger.verdicts import NO_ANSWER
from fogline.rounds.judge import Verdict

# Beside the word, for the eye that looks along a row; nothing is said by a colour.
SYMBOLS = {
    Verdict.ACCEPTED.value: "✓",
    Verdict.REJECTED.value: "✗",
    Verdict.DECLINED.value: "○",
    Verdict.LATE.value: "»",
    Verdict.STALE.value: "«",
    Verdict.DUPLICATE.value: "=",
    NO_ANSWER: "-",
    matrix.WAITING: "…",
    matrix.LEFT_OUT: "·",
    matrix.NOT_ASKED: "·",
    "committed": "✓",
    "reproduced": "=",
    "differs": "≠",
    "refused": "✗",
    "failed": "✗",
    "skipped": "-",
    "open": "…",
}


@dataclass(frozen=True)
class FederationPage:
    """All that a federation's page shows.

    Attributes
    ----------
    branches
        Those that the user may read, also those without a model yet.
    logs
        The task of each run whose log tells most; a run that Airflow has deleted is missing.
    actions
        Those that the user may take.
    """

    view: FederationView
    branches: Sequence[str]
    matrix: Matrix
    traffic: Sequence[LinkTraffic]
    logs: Mapping[str, str]
    actions: Sequence[Action]


def render_federations(branches: Mapping[str, Sequence[str]]) -> str:
    """Return the list of federations, given the branches of each."""
    return _render("federations.html.j2", branches=branches)


def render_federation(page: FederationPage) -> str:
    """Return a federation's page."""
    federation, shown = page.view.federation, page.matrix.branch
    return _render(
        "federation.html.j2",
        page=page,
        view=page.view,
        matrix=page.matrix,
        federation=federation,
        rounds=dag_id(ROUND, federation, shown),
        initialise=dag_id(INITIALISE, federation),
        dag_of_branch={name: dag_id(ROUND, federation, name) for name in page.branches},
        symbols=SYMBOLS,
        api=addresses.api(),
    )


@cache
def page_script() -> str:
    """Return the pages' script; the headers name it by its digest, so a page has it in it byte by byte."""
    return (Path(__file__).parent / "templates" / "page.js").read_text(encoding="utf-8")


def _render(template: str, **content: object) -> str:
    return templates().get_template(template).render(addresses=addresses, script=page_script(), **content)
