from pathlib import Path

import pytest

from fogline.artifacts import ArtifactStore, StoreError, StoreUnwritable
from tests.support.disks import fill, small_disk


def test_a_file_is_written_whole_and_read_back(tmp_path: Path) -> None:
    store = ArtifactStore(f"file://{tmp_path}/models")
    store.write("a/b/1/seal.json", b"one")
    store.write("a/b/1/seal.json", b"two")
    assert store.read("a/b/1/seal.json") == b"two"
    assert [path.name for path in (tmp_path / "models/a/b/1").iterdir()] == ["seal.json"]


def test_a_full_disk_is_said_leaves_nothing_behind_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        store = ArtifactStore(f"file://{disk}/models")
        store.write("plan/result.json", b"the result before")
        ballast = fill(disk)
        with pytest.raises(StoreUnwritable, match=r"does not take plan/result.json \(100000 bytes\): No space left"):
            store.write("plan/result.json", bytes(100_000))
        assert [path.name for path in (disk / "models" / "plan").iterdir()] == ["result.json"]
        assert store.read("plan/result.json") == b"the result before"
        ballast.unlink()
        store.write("plan/result.json", bytes(100_000))
        assert len(store.read("plan/result.json")) == 100_000


def test_an_absent_file_and_an_absent_store_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(f"file://{tmp_path}")
    assert not store.exists("a/result.json")
    with pytest.raises(StoreError, match=r"no a/result\.json"):
        store.read("a/result.json")
    monkeypatch.delenv("FOGLINE_MODEL_STORE", raising=False)
    with pytest.raises(StoreError, match="FOGLINE_MODEL_STORE is not set"):
        ArtifactStore.from_environment()
