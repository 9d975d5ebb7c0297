"""The bundle asks Airflow for a parse when a federation file or a module has changed, and only then."""

from pathlib import Path

import pytest

from fogline.airflow import bundle as bundles
from fogline.airflow.bundle import FederationBundle


@pytest.fixture
def federations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "federations"
    folder.mkdir()
    (folder / "orchard.yaml").write_text("description: An orchard\n")
    monkeypatch.setenv("FOGLINE_FEDERATIONS", str(folder))
    return folder


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    monkeypatch.setattr(FederationBundle, "_request_parse", lambda self: asked.append("parse"))
    monkeypatch.setattr(bundles, "preload", lambda names: None)
    return asked


def refreshed(bundle: FederationBundle, n_times: int = 3) -> None:
    """Have Airflow's DAG processor refresh a bundle."""
    for _ in range(n_times):
        bundle.refresh()


@pytest.fixture
def bundle(federations: Path, requests: list[str], tmp_path: Path) -> FederationBundle:
    one = FederationBundle(name="dags-folder", path=str(tmp_path))
    refreshed(one)
    assert requests == []
    return one


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_a_changed_federation_file_asks_twice(
    change: str, bundle: FederationBundle, federations: Path, requests: list[str]
) -> None:
    file = federations / "orchard.yaml"
    if change == "edited":
        file.write_text("description: A new orchard\n")
    elif change == "added":
        (federations / "orchard.slow.yaml").write_text("from: main@3\n")
    else:
        file.unlink()
    # A second time, because the first may come while the file is being parsed.
    refreshed(bundle)
    assert requests == ["parse", "parse"]


def test_a_changed_module_asks_too(bundle: FederationBundle, requests: list[str], tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("x = 1\n")
    bundle._modules = bundles.stamps_of([str(module)])
    refreshed(bundle)
    assert requests == []
    module.write_text("x = 22\n")
    refreshed(bundle)
    assert requests == ["parse", "parse"]


def test_a_file_that_is_no_federations_asks_for_nothing(
    bundle: FederationBundle, federations: Path, requests: list[str]
) -> None:
    (federations / "notes.txt").write_text("mend the fence\n")
    refreshed(bundle)
    assert requests == []
