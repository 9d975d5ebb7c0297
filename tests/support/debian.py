"""Programs from Debian's packages, unpacked among the tools: nothing is installed, and nobody need be root."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fogline.stack.bootstrap import exclusive

APT_TIMEOUT_S = 240


@dataclass(frozen=True)
class Program:
    """A program and the environment variables that it needs beside the caller's."""

    path: Path
    environment: dict[str, str]


def program(tools: Path, package: str, inside: str) -> Program:
    """Return a program: the machine's own where it is installed, else from its package and all that it depends on.

    Parameters
    ----------
    tools
        The folder of the tools; packages are unpacked below it once.
    package
        Debian's name for the package.
    inside
        The program's path in the package, as ``usr/bin/promtool``.
    """
    if installed := shutil.which(Path(inside).name):
        return Program(Path(installed), {})
    if not shutil.which("apt-get"):
        pytest.skip(f"{Path(inside).name} is not on the PATH, and there is no apt-get to fetch package {package} with")
    root = _unpacked(tools / "debian", package)
    folders = sorted({str(library.parent) for library in root.glob("**/*.so*")})
    return Program(root / inside, {"LD_LIBRARY_PATH": os.pathsep.join(folders)} if folders else {})


def _unpacked(folder: Path, package: str) -> Path:
    root = folder / package
    with exclusive(folder / "packages.mutex"):
        if root.is_dir():
            return root
        cache, unfinished = folder / f"{package}.cache", folder / f"{package}.unfinished"
        for state in ("lists/partial", "archives/partial"):
            (cache / state).mkdir(parents=True, exist_ok=True)
        _apt(cache, "update")
        _apt(cache, "install", "--download-only", "--no-install-recommends", "--yes", package)
        for archive in sorted((cache / "archives").glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", str(archive), str(unfinished)], check=True)
        shutil.rmtree(cache)
        unfinished.rename(root)
    return root


def _apt(cache: Path, *arguments: str) -> None:
    own = {
        "Dir::State::Lists": cache / "lists",
        "Dir::Cache": cache,
        "Dir::Cache::archives": cache / "archives",
        # Only its own folders are written, which the mutex guards.
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
    }
    options = [part for name, value in own.items() for part in ("-o", f"{name}={value}")]
    command = ["apt-get", "-qq", *options, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=APT_TIMEOUT_S)
    if done.returncode:
        pytest.skip(f"apt-get {arguments[0]} failed, so this machine can't have the package: {done.stderr.strip()}")
