"""Draw the federation dashboard's panels from a Prometheus: Grafana itself is not needed.

``FOGLINE_PROMETHEUS_URL=http://localhost:9090 ./fogline run python docs/pictures/dashboard.py [--minutes 15]``. The
queries, titles, places and legends are those of ``deploy/grafana/dashboards/federation.json``.
"""

import argparse
import datetime as dt
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import matplotlib.dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from tests.support.prometheus import DASHBOARDS, filled_in

HERE = Path(__file__).parent
DASHBOARD = DASHBOARDS / "federation.json"
RATE_INTERVAL = "60s"
DRAWN = {"timeseries", "stat"}
N_POINTS = 200
MOST_IN_LEGEND = 8
INCHES_PER_COLUMN, INCHES_PER_ROW = 0.75, 0.34


def series_of(
    client: httpx.Client, target: dict[str, Any], span_s: float
) -> list[tuple[str, list[tuple[float, float]]]]:
    """Return the lines of one query over the last ``span_s`` seconds, by their legend."""
    end = dt.datetime.now(dt.UTC).timestamp()
    window = {"start": end - span_s, "end": end, "step": max(span_s / N_POINTS, 1)}
    answer = client.get(
        "/api/v1/query_range", params={"query": filled_in(target["expr"], RATE_INTERVAL), **window}
    ).raise_for_status()
    found = []
    for one in answer.json()["data"]["result"]:
        points = [(moment, float(value)) for moment, value in one["values"]]
        found.append((legend(target.get("legendFormat") or "", one["metric"]), points))
    return found


def legend(pattern: str, labels: dict[str, str]) -> str:
    """Return a line's name."""
    return re.sub(r"{{(\w+)}}", lambda label: labels.get(label[1], ""), pattern)


def draw_panel(axes: Axes, panel: dict[str, Any], series: list[tuple[str, list[tuple[float, float]]]]) -> None:
    """Draw a panel as lines, or as the last numbers."""
    axes.set_title(panel["title"], fontsize=9, loc="left")
    if panel["type"] == "stat":
        axes.set_axis_off()
        text = "\n".join(f"{name} {points[-1][1]:.4g}".strip() for name, points in series[:3])
        axes.text(0.5, 0.45, text, ha="center", va="center", fontsize=13)
        return
    for name, points in series:
        moments = [dt.datetime.fromtimestamp(moment, dt.UTC) for moment, _ in points]
        axes.plot(moments, [value for _, value in points], linewidth=1.2, label=name)
    axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M"))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if 0 < len(series) <= MOST_IN_LEGEND:
        axes.legend(fontsize=6)


def main(argv: list[str] | None = None) -> int:
    """Draw; 1 when a panel has no data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--to", type=Path, default=HERE / "dashboard.png")
    arguments = parser.parse_args(argv)
    panels = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] in DRAWN]
    n_rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = Figure(figsize=(24 * INCHES_PER_COLUMN, n_rows * INCHES_PER_ROW), layout="constrained")
    grid = GridSpec(n_rows, 24, figure=figure)
    empty = []
    with httpx.Client(base_url=os.environ["FOGLINE_PROMETHEUS_URL"], trust_env=False, timeout=30) as client:
        for panel in panels:
            place = panel["gridPos"]
            cell = grid[place["y"] : place["y"] + place["h"], place["x"] : place["x"] + place["w"]]
            lines = [one for target in panel["targets"] for one in series_of(client, target, arguments.minutes * 60)]
            draw_panel(figure.add_subplot(cell), panel, lines)
            empty += [] if lines else [panel["title"]]
    figure.savefig(arguments.to, dpi=80)
    print(f"{arguments.to}; without data: {', '.join(empty) or 'none'}")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
