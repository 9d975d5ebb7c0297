"""The tables that a round's task logs show: fogs and verdicts, contributions, scores."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fogline.messages.account import ReadingAccount
from fogline.messages.seal import Result
from fogline.sums import ScoreSums

LOG_WIDTH = 110


def text_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out rows as plain text; numbers are aligned to the right."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    body = [list(row) for row in rows]
    for column, heading in enumerate(headings):
        is_number = bool(body) and all(isinstance(row[column], int | float | None) for row in body)
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in body:
        table.add_row(*(_cell(value) for value in row))
    console = Console(file=io.StringIO(), width=LOG_WIDTH, color_system=None)
    console.print(table)
    return console.file.getvalue().rstrip()  # type: ignore[attr-defined, no-any-return]


@dataclass(frozen=True)
class VerdictRow:
    """One line of a plan's table: a record and its verdict, or a member that sent none.

    Attributes
    ----------
    verdict
        One of `fogline.rounds.judge.Verdict`, or ``no answer``.
    cause
        Why it was rejected, by name; one of `fogline.messages.cause.Cause`.
    after_s
        Seconds from the plan to the answer, both by the broker's clock.
    """

    fog: str
    verdict: str
    cause: str | None = None
    reason: str | None = None
    n_examples: int | None = None
    update_norm_l2: float | None = None
    after_s: float | None = None

    def said(self) -> str:
        """Return who answered what, for a sentence."""
        why = ": ".join(part for part in (self.cause, self.reason) if part)
        return f"{self.fog}: {self.verdict}" + (f" ({why})" if why else "")


def verdicts_table(title: str, rows: Iterable[VerdictRow]) -> str:
    """Return the table of the answers to a plan, one line per answer and per silent member."""
    body = [
        (row.fog, row.verdict, row.n_examples, row.update_norm_l2, row.after_s, row.cause or "", row.reason or "")
        for row in rows
    ]
    return text_table(title, ("fog", "verdict", "examples", "|update|", "after s", "cause", "reason"), body)


@dataclass(frozen=True)
class AccountRow:
    """What became of the records that a fog received; ``n_lost`` expired on Kafka before it read them, of any time."""

    fog: str
    account: ReadingAccount
    n_lost: int | None = None


def accounts_table(title: str, rows: Sequence[AccountRow]) -> str:
    """Return what became of the records that each fog received, one line a fog and one more where some were refused."""
    body: list[tuple[object, ...]] = []
    for row in rows:
        one = row.account
        kept = (one.used, one.held_out, one.without_target, one.left_out)
        body.append((row.fog, one.received, *kept, one.duplicate, one.late, one.n_quarantined, row.n_lost))
    heading = ("fog", "received", "used", "held out", "no target", "left out", "twice", "late", "refused", "lost")
    return "\n".join([text_table(title, heading, body), *(_refused(row) for row in rows if row.account.quarantined)])


def _refused(row: AccountRow) -> str:
    return f"{row.fog} refused: " + ", ".join(f"{code} {n}" for code, n in row.account.quarantined.items())


def contributions_table(result: Result) -> str:
    """Return what each sealed update contributed to a candidate."""
    body = [
        (
            row.fog,
            "rejected" if row.cause else "accepted",
            row.n_examples,
            row.share,
            row.update_norm_l2,
            row.cause or "",
            row.reason or "",
        )
        for row in result.contributions
    ]
    heading = ("fog", "verdict", "examples", "share", "|update|", "cause", "reason")
    return text_table(f"Aggregation of {result.plan_id}", heading, body)


def scores_table(title: str, scores: dict[str, dict[str, ScoreSums]], unit: str) -> str:
    """Return one row per fog and model, and the total of each model.

    Parameters
    ----------
    scores
        By model name, then by fog.
    """
    rows = []
    for model, by_fog in scores.items():
        for fog, sums in [
            *by_fog.items(),
            ("all fogs", ScoreSums.total(by_fog.values())),
        ]:
            rows.append((model, fog, sums.n, sums.rmse, sums.r2))
    return text_table(title, ("model", "fog", "n", f"RMSE {unit}".strip(), "R²"), rows)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
