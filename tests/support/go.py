"""Programs in Go, built once from the module proxy into the tools folder."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fogline.canonical import sha256_hex
from fogline.stack.bootstrap import exclusive

BUILD_TIMEOUT_S = 500


def built(tools: Path, module: str, version: str, package: str) -> Path:
    """Return a command of a published module, such as ``built(tools, "example.org/x", "v1.2.0", "example.org/x/cmd")``.

    Where there is no ``go``, the test that asks is skipped.

    Parameters
    ----------
    package
        Import path of the command; the module's own where that is the command.
    """
    program = tools / "go" / f"{package.rsplit('/', 1)[-1]}-{version}"

    def build(workshop: Path) -> None:
        _go(workshop, "mod", "init", "fogline/tool")
        _go(workshop, "get", f"{module}@{version}")
        _go(workshop, "build", "-trimpath", "-o", "program", package)

    return _built(program, build)


def built_source(tools: Path, source: Path) -> Path:
    """Return the command of a folder with ``main.go``, ``go.mod`` and ``go.sum``."""
    content = b"".join(path.read_bytes() for path in sorted(source.iterdir()))
    program = tools / "go" / f"{source.name}-{sha256_hex(content)[:12]}"

    def build(workshop: Path) -> None:
        shutil.copytree(source, workshop, dirs_exist_ok=True)
        _go(workshop, "build", "-trimpath", "-o", "program", ".")

    return _built(program, build)


def _built(program: Path, build: Callable[[Path], None]) -> Path:
    if program.is_file():
        return program
    if not shutil.which("go"):
        pytest.skip(f"{program.name} is built with go, which is not on the PATH")
    with exclusive(program.parent / "build.mutex"):
        if not program.is_file():
            workshop = program.with_name(f"{program.name}.workshop")
            shutil.rmtree(workshop, ignore_errors=True)
            workshop.mkdir()
            build(workshop)
            (workshop / "program").rename(program)
            shutil.rmtree(workshop)
    return program


def _go(workshop: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["go", *arguments],
        cwd=workshop,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    assert done.returncode == 0, f"go {' '.join(arguments)}: {done.stderr[-2000:]}"
