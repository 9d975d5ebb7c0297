"""Two lanes of tests and the types beside them: all are run, what each said is shown, and what failed is named."""

import os
from pathlib import Path

import pytest

from fogline.stack import commands

TESTS = """
import pytest

@pytest.mark.long_lane
def test_first(): assert {first}

def test_second(): assert {second}
"""


@pytest.mark.parametrize(
    ("first", "second", "types", "failed"),
    [(True, True, "1", []), (False, True, "{", ["mypy", "pytest"]), (True, False, "1", ["pytest"])],
    ids=["all well", "the first lane and the types", "the second lane"],
)
def test_what_fails_in_a_lane_or_beside_it_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    first: bool,
    second: bool,
    types: str,
    failed: list[str],
) -> None:
    (tmp_path / "test_it.py").write_text(TESTS.format(first=first, second=second))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = long_lane\n")
    (tmp_path / "types.json").write_text(types)
    monkeypatch.chdir(tmp_path)
    # A module that ends with 1 where its file is wrong, as mypy does.
    monkeypatch.setattr(commands, "TYPES", ["json.tool", "types.json"])
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    assert commands._failed_in_two_lanes(environment) == failed
    said = capfdbinary.readouterr().out
    assert said.count(b"1 deselected in") == 2
    assert [said.count(b" 1 failed, "), said.count(b" 1 passed, ")] == [2 - first - second, first + second]
    assert b"json.tool" in said and (b"\n1\n" in said or types == "{")
