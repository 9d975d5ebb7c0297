"""Modules whose files have changed are forgotten, all of Fogline's together; otherwise nothing is."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from fogline import loaded


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two modules of a package of the test's own, in place of Fogline's."""
    monkeypatch.setattr(loaded, "PACKAGES", ("orchard",))
    files = {name: tmp_path / f"{name}.py" for name in ("orchard.apple", "orchard.pear")}
    for name, file in files.items():
        file.write_text("x = 1\n")
        module = ModuleType(name)
        module.__file__ = str(file)
        monkeypatch.setitem(sys.modules, name, module)
    return files


def test_nothing_is_forgotten_while_files_are_as_they_were(modules: dict[str, Path]) -> None:
    before = loaded.stamps()
    assert set(before) == {str(file) for file in modules.values()}
    assert not loaded.forget_changed(before)
    assert set(modules) <= set(sys.modules)


@pytest.mark.parametrize("is_gone", [False, True], ids=["edited", "removed"])
def test_one_changed_file_has_all_forgotten(modules: dict[str, Path], is_gone: bool) -> None:
    before = loaded.stamps()
    file = modules["orchard.apple"]
    if is_gone:
        file.unlink()
    else:
        file.write_text("x = 22\n")
    assert loaded.forget_changed(before)
    assert not set(modules) & set(sys.modules)


def test_other_packages_stay(modules: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orchards", ModuleType("orchards"))
    before = loaded.stamps()
    modules["orchard.pear"].write_text("x = 22\n")
    assert loaded.forget_changed(before)
    assert "orchards" in sys.modules
