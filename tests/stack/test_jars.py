"""Jars are taken only with the lock's checksum, and what has been fetched isn't fetched again."""

import hashlib
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fogline.stack import jars
from fogline.stack.errors import StackError
from fogline.stack.java import Java

CONTENT = {"one-1.jar": b"first", "two-2.jar": b"second"}
# Stands for `java -jar ivy.jar`: "fetches" each dependency that it finds in the folder named by the environment.
IVY = """#!{python}
import os, pathlib, re, shutil, sys
here = sys.argv
names = re.findall(r'name="(.*?)" rev="(.*?)"', pathlib.Path(here[here.index("-ivy") + 1]).read_text())
target = pathlib.Path(here[here.index("-retrieve") + 1]).parent
target.mkdir(parents=True, exist_ok=True)
for name, version in names:
    print("asked for", name)
    with open("{served}/asked", "a") as asked:
        asked.write(name + "\\n")
    served = pathlib.Path("{served}") / f"{{name}}-{{version}}.jar"
    if served.is_file():
        shutil.copy(served, target)
"""


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def fetch(tmp_path: Path, served: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    executable = tmp_path / "java" / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(IVY.format(python=sys.executable, served=served))
    executable.chmod(0o755)
    lines = [
        f"org.example:{name.split('-')[0]}:{name[4]} sha256:{hashlib.sha256(content).hexdigest()}\n"
        for name, content in CONTENT.items()
    ]
    (tmp_path / "test-jars.lock").write_text("".join(lines))
    monkeypatch.setattr(jars, "__file__", str(tmp_path / "jars.py"))
    console = Console(quiet=True)
    return lambda: jars.ensure_jars("test", tmp_path / "tools", Java(tmp_path / "java", "17"), console)


def test_all_are_fetched_once(fetch, served: Path) -> None:  # type: ignore[no-untyped-def]
    assert [path.read_bytes() for path in fetch()] == list(CONTENT.values())
    fetch()
    assert (served / "asked").read_text().split() == ["one", "two"]


def test_another_file_than_the_lock_s_is_refused_and_not_kept(fetch, served: Path) -> None:  # type: ignore[no-untyped-def]
    (served / "two-2.jar").write_bytes(b"tampered")
    with pytest.raises(StackError, match=r"two-2\.jar has sha256 .* where the lock has"):
        fetch()
    (served / "two-2.jar").write_bytes(CONTENT["two-2.jar"])
    assert fetch()[1].read_bytes() == b"second"
    assert (served / "asked").read_text().split() == ["one", "two", "two"]


def test_one_that_can_t_be_fetched_is_named(fetch, served: Path) -> None:  # type: ignore[no-untyped-def]
    (served / "one-1.jar").rename(served / "away")
    with pytest.raises(StackError, match=r"1 of 2 jars of test .*one-1\.jar.*run the command again"):
        fetch()


def test_the_committed_locks_are_whole() -> None:
    folder = Path(jars.__file__).parent
    broker, connector = (jars.read_lock(folder / f"{name}-jars.lock") for name in ("kafka", "spark"))
    assert {jar.artifact for jar in connector} == {
        "commons-pool2",
        "kafka-clients",
        "spark-sql-kafka-0-10_2.13",
        "spark-token-provider-kafka-0-10_2.13",
    }
    assert ("kafka_2.13", "4.1.2") in {(jar.artifact, jar.version) for jar in broker}
    assert all(len(jar.sha256) == 64 for jar in [*broker, *connector])
