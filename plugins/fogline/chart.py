"""Pictures of branches: one line each over event time, the same bytes from the same numbers."""

import io
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from fogline.errors import FoglineError
from fogline.rounds.compare import Comparison, error_name

if TYPE_CHECKING:
    import datetime as dt

    from matplotlib.axes import Axes

# By the file's suffix: no date and no version of the library in the file.
FORMATS = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
# The common part's colour is neither branch's.
COLOURS = ("#1f77b4", "#d95f02")
SIZE_INCHES = (8, 4.5)
DOTS_PER_INCH = 150
STYLE: dict[Any, Any] = {"svg.hashsalt": "fogline", "svg.fonttype": "none", "font.size": 11}
# Three times as dark or light as a white and as a black page; the eighth line is the first one's colour, dashed.
PAGE_COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#a6761d", "#808080")
DASHES = ("solid", "dashed", "dotted", "dashdot")
MOST_DOTS = 60
# Stands for the page's colour of text until the picture is drawn.
INK, INK_ON_LIGHT, INK_ON_DARK = "#010203", "#1c1c1c", "#e8e8e8"
INK_RULES = f"svg {{ color: {INK_ON_LIGHT} }} @media (prefers-color-scheme: dark) {{ svg {{ color: {INK_ON_DARK} }} }}"


class ChartError(FoglineError):
    """A picture that can't be drawn."""


def chart_format(path: str) -> str:
    """Return the suffix of a picture's file.

    Raises
    ------
    ChartError
        It is none that can be drawn.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in FORMATS:
        raise ChartError(f"{path}: can't be drawn in this format; end the name with {' or '.join(FORMATS)}")
    return suffix


def draw_comparison(
    comparison: Comparison, interval_starts: Mapping[int, "dt.datetime"], unit: str, suffix: str
) -> bytes:
    """Draw the error of both branches over the intervals' starts.

    Raises
    ------
    ChartError
        There is nothing to draw: no version of either branch was scored.
    """
    # Only who draws pays for the import.
    import matplotlib
    from matplotlib.figure import Figure

    if not comparison.is_scored:
        raise ChartError("there is nothing to draw: neither branch has a version with scores of its own")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        for number, (branch, colour) in enumerate(zip(comparison.branches, COLOURS, strict=True)):
            points = [
                (interval_starts[row.interval_index], row.errors[number])
                for row in comparison.rows
                if row.errors[number] is not None
            ]
            axes.plot(
                [start for start, _ in points],  # type: ignore[arg-type]
                [error for _, error in points],  # type: ignore[arg-type]
                label=branch,
                color=colour,
                marker="os"[number],
                markersize=4,
            )
        _label(axes, error_name(comparison, unit))
        drawn = io.BytesIO()
        figure.savefig(drawn, format=suffix[1:], dpi=DOTS_PER_INCH, metadata=FORMATS[suffix])
    return drawn.getvalue()


def draw_errors(lines: Mapping[str, Sequence[tuple["dt.datetime", float]]], what: str) -> bytes:
    """Draw errors over the intervals' starts as an SVG for a page that is light or dark as its reader's browser is.

    Parameters
    ----------
    lines
        By branch: the start of each interval and the error.
    what
        What the errors are, with the unit.

    Raises
    ------
    ChartError
        There is nothing to draw.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if not any(lines.values()):
        raise ChartError("there is nothing to draw: no version was scored on a held-out day yet")
    inked: Any = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color")
    with matplotlib.rc_context({**STYLE, **dict.fromkeys(inked, INK)}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        for number, (branch, points) in enumerate(lines.items()):
            axes.plot(
                [start for start, _ in points],  # type: ignore[arg-type]
                [error for _, error in points],
                label=branch,
                color=PAGE_COLOURS[number % len(PAGE_COLOURS)],
                linestyle=DASHES[number // len(PAGE_COLOURS) % len(DASHES)],
                marker="os^Dv"[number % 5] if len(points) <= MOST_DOTS else None,
                markersize=4,
            )
        _label(axes, what)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata=FORMATS[".svg"])
    svg = drawn.getvalue().decode().replace(INK, "currentColor")
    return svg.replace("<defs>", f"<style>{INK_RULES}</style>\n<defs>", 1).encode()


def _label(axes: "Axes", what: str) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("start of the interval (UTC)")
    axes.set_ylabel(f"{what} on held-out days")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
