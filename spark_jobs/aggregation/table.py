"""The aggregation's table, as the round's log shows it."""

import io

from rich.console import Console
from rich.table import Table

from fogline.messages.seal import Result

WIDTH_COLUMNS = 110


def contributions_table(result: Result) -> str:
    """Return one line per fog: examples, share, norm of its update, verdict."""
    table = Table(box=None, pad_edge=False)
    table.add_column("fog")
    for column in ("n_examples", "share", "norm"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for row in result.contributions:
        norm = "-" if row.update_norm_l2 is None else f"{row.update_norm_l2:.4f}"
        verdict = f"rejected: {row.rejected}" if row.rejected else "accepted"
        table.add_row(row.fog, f"{row.n_examples:,}", f"{row.share:.4f}", norm, verdict)
    text = io.StringIO()
    Console(file=text, width=WIDTH_COLUMNS, color_system=None, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
