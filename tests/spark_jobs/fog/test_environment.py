"""What a fog node refuses to start with."""

from pathlib import Path

import pytest

from spark_jobs.fog.environment import load_fogs
from spark_jobs.fog.errors import FogError
from tests.support.federations import write_federation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_federation(tmp_path)
    (tmp_path / "small.slow.yaml").write_text("from: main@1\nexclude: [fog-b]\n")
    return tmp_path


def test_a_fog_serves_the_federation_and_not_a_branch(folder: Path) -> None:
    assert list(load_fogs(folder, "small", ["fog-b"]).fogs) == ["fog-a", "fog-b"]
    with pytest.raises(FogError, match=r"small.slow.yaml is a branch, and .*; write --federation small$"):
        load_fogs(folder, "small.slow", ["fog-a"])


def test_what_is_not_there_is_named_with_what_is(folder: Path) -> None:
    with pytest.raises(FogError, match=r"--federation orchard: there is no .*orchard.yaml; there: small$"):
        load_fogs(folder, "orchard", ["fog-a"])
    with pytest.raises(FogError, match=r"--fog fog-c: small.yaml has no such fog; it has fog-a, fog-b"):
        load_fogs(folder, "small", ["fog-c"])
