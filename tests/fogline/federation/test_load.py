from pathlib import Path
from typing import Any

import pytest

from fogline.canonical import canonical_json
from fogline.federation import FederationError, Specification, load_federation, load_federations
from tests.support.federations import SMALL, small_federation, write_federation

REPOSITORY = Path(__file__).parents[3]


def test_the_demo_federation_is_sound() -> None:
    federation = load_federation(REPOSITORY / "dags/federations/wind_farm.yaml")
    assert federation.quorum == 4
    assert federation.sensors["R80736"] == "fog-3"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"windw": "P1D"}, "small.yaml: windw: is not a key known here; did you mean window?"),
        ({"start": None}, "small.yaml: start: is missing; add it"),
        ({"start": "2024-01-01T00:00:00"}, "small.yaml: start: Input should have timezone info"),
        ({"fields": {"x": {"min": 3, "max": 1}}}, "small.yaml: fields.x: min 3 is above max 1; swap them"),
        ({"features": {"x": "nosuch + 1"}}, "features.x: 'nosuch + 1' is no valid SQL over the fields"),
        ({"features": {"x": "x +"}}, "features.x: 'x +' is no valid SQL over the fields"),
        ({"target": {"name": "x", "expression": "y"}}, "the target x is also a feature; rename or remove one"),
        ({"fogs": {"a": {"sensors": ["s"]}, "b": {"sensors": ["s"]}}}, "sensor s belongs to a and b"),
        ({"round": {"quorum": 3}}, "quorum 3 is above the 2 fogs; lower it"),
        ({"window": "PT1H"}, "window is shorter than interval"),
        ({"model": {"kind": "mlp"}}, "model: an mlp needs hidden"),
        ({"training": {**SMALL["training"], "epochs": 0}}, "training.epochs: Input should be greater than"),
    ],
)
def test_a_fault_is_one_line_that_names_the_place(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(FederationError) as raised:
        load_federation(write_federation(tmp_path, **changes))
    assert line in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_no_yaml_and_no_mapping_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{")
    (tmp_path / "b.yaml").write_text("[]")
    _, faults = load_federations(tmp_path)
    assert "can't be read as YAML" in faults["a"]
    assert "holds no mapping" in faults["b"]


def test_a_broken_file_never_hides_the_others(tmp_path: Path) -> None:
    write_federation(tmp_path, "sound")
    write_federation(tmp_path, "broken", start=None)
    federations, faults = load_federations(tmp_path)
    assert [federation.federation for federation in federations] == ["sound"]
    assert list(faults) == ["broken"]


def test_the_hash_changes_with_what_decides_the_bytes_and_with_nothing_else(tmp_path: Path) -> None:
    base = small_federation(tmp_path).specification().sha256()
    assert small_federation(tmp_path, description="Another").specification().sha256() == base
    assert small_federation(tmp_path, round={"deadline_s": 7}).specification().sha256() == base
    assert small_federation(tmp_path, seed=5).specification().sha256() != base
    assert small_federation(tmp_path, start="2024-01-01T01:00:00+01:00").specification().sha256() == base


def test_the_order_of_features_is_that_of_their_names_in_the_file_and_on_the_wire(tmp_path: Path) -> None:
    features = {"z": "y", "a": "x"}
    specification = small_federation(tmp_path, features=features).specification()
    assert list(specification.features) == ["a", "z"]
    sent = Specification.model_validate_json(canonical_json(specification.model_dump(mode="json")))
    assert list(sent.features) == list(specification.features)
