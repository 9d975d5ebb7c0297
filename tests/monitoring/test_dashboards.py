"""The dashboards by Grafana's own schema."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.support.prometheus import DASHBOARDS, DEPLOY

FILES = sorted(DASHBOARDS.glob("*.json"))


def lost(given: Any, kept: Any, place: str = "") -> list[str]:
    """Return where Grafana's schema has no room for what a file has."""
    if isinstance(given, dict):
        if not isinstance(kept, dict):
            return [place]
        return [at for key in given for at in lost(given[key], kept.get(key), f"{place}/{key}")]
    if isinstance(given, list):
        if not isinstance(kept, list) or len(given) != len(kept):
            return [place]
        return [at for number, one in enumerate(given) for at in lost(one, kept[number], f"{place}/{number}")]
    return [] if given == kept else [place]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_comes_through_grafanas_schema_whole(path: Path) -> None:
    given = json.loads(path.read_text())
    kept = json.loads(JSONEncoder(sort_keys=True, indent=1).encode(Dashboard.from_json(given)))
    assert lost(given, kept) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_have_numbers_and_places_of_their_own_and_take_the_chosen_data_source(path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    taken = [cell for panel in panels for cell in cells(panel["gridPos"])]
    assert len(taken) == len(set(taken)) and max(x for x, _ in taken) == 23
    sources = {json.dumps(one["datasource"]) for panel in panels for one in panel.get("targets", ())}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}


def cells(place: dict[str, int]) -> list[tuple[int, int]]:
    columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return [(x, y) for x in columns for y in lines]


def test_grafana_is_told_of_the_data_source_and_the_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "fogline.yaml").read_text())["providers"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
