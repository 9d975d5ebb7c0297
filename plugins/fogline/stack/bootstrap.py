"""Makes the virtual environment from requirements.lock and hands over to it; runs on the standard library alone."""

import contextlib
import fcntl
import hashlib
import os
import re
import ssl
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
LOCK = REPOSITORY / "requirements.lock"


def default_home() -> Path:
    """Return the folder that holds all of the stack's state: FOGLINE_HOME, or ``.fogline`` in the repository."""
    return Path(os.environ.get("FOGLINE_HOME") or REPOSITORY / ".fogline").expanduser().absolute()


def default_tools(home: Path) -> Path:
    """Return the folder of the tools that several homes can share: FOGLINE_TOOLS, or ``tools`` in the home."""
    return Path(os.environ.get("FOGLINE_TOOLS") or home / "tools").expanduser().absolute()


def short_hash(path: Path) -> str:
    """Return ten hexadecimal digits that stand for a path."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:10]


@contextlib.contextmanager
def exclusive(mutex: Path) -> Iterator[None]:
    """Hold the file lock ``mutex``: of two launchers at once the second waits, and a killed one releases it."""
    mutex.parent.mkdir(parents=True, exist_ok=True)
    with mutex.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"fogline: waiting for another fogline that holds {mutex}", file=sys.stderr)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def uv_command(tools: Path, *arguments: str) -> None:
    """Run the project's own uv with its cache among the tools.

    Raises
    ------
    subprocess.CalledProcessError
        When uv fails; what it said is already on standard error.
    """
    environment = os.environ | {"UV_CACHE_DIR": str(tools / "cache" / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)
    trusted = ssl.get_default_verify_paths()
    if trusted.cafile or trusted.capath:
        # The machine's own certificates, as behind a company's proxy only they will do; uv brings others.
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    # On a terminal it shows its progress, elsewhere its errors alone.
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    uv = str(tools / "bootstrap" / "bin" / "uv")
    subprocess.run([uv, *quiet, *arguments], env=environment, check=True, stdout=sys.stderr)


def locked_requirement(name: str) -> str:
    """Return the lock's entry of one package with its hashes, as it stands there."""
    entry = re.search(rf"^{re.escape(name)}==.*(?:\n    .*)*", LOCK.read_text(), flags=re.MULTILINE)
    if entry is None:
        raise SystemExit(f"fogline: {LOCK} has no entry for {name}; make the lock again (see CONTRIBUTING.md)")
    return entry.group()


def _ensure_uv(tools: Path) -> None:
    entry, folder = locked_requirement("uv"), tools / "bootstrap"
    stamp = folder / "fogline.stamp"
    if stamp.is_file() and stamp.read_text() == entry:
        return
    print("fogline: installing uv", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    requirement = folder / "uv.lock"
    requirement.write_text(entry)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(requirement)], check=True, stdout=sys.stderr)
    stamp.write_text(entry)


def ensure_environment(tools: Path) -> Path:
    """Make the virtual environment, or bring it up to the lock; return its Python.

    The stamp is written last, so an interrupted run is taken up again by the next one.
    """
    python, stamp = tools / "venv" / "bin" / "python", tools / "venv" / "fogline.stamp"
    wanted = f"{hashlib.sha256(LOCK.read_bytes()).hexdigest()} {sys.version_info.major}.{sys.version_info.minor}"

    def current() -> bool:
        return stamp.is_file() and stamp.read_text() == wanted and os.access(python, os.X_OK)

    if current():
        return python
    with exclusive(tools / "environment.mutex"):
        if current():
            return python
        _ensure_uv(tools)
        print("fogline: making the Python environment from requirements.lock", file=sys.stderr)
        stamp.unlink(missing_ok=True)
        # The base interpreter: a virtual environment of the caller's may be gone tomorrow.
        base = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
        uv_command(tools, "venv", "--quiet", "--clear", "--python", base, str(tools / "venv"))
        uv_command(tools, "pip", "sync", "--python", str(python), "--require-hashes", str(LOCK))
        # Spark's unpacked source alone is 1.4 GB; what is installed stays.
        uv_command(tools, "cache", "clean")
        stamp.write_text(wanted)
    return python


def python_path() -> str:
    """Return PYTHONPATH with Fogline first and what the caller has there behind it."""
    own = [str(REPOSITORY), str(REPOSITORY / "plugins")]
    callers = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry not in own]
    return os.pathsep.join(own + callers)


def bytecode(tools: Path) -> dict[str, str]:
    """Return the variables that have every Python process keep its bytecode among the tools.

    None lies beside the sources, so nobody needs PYTHONDONTWRITEBYTECODE, which some machines set and with which each
    start of an Airflow process compiles two thousand modules.
    """
    return {"PYTHONPYCACHEPREFIX": str(tools / "cache" / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}


def main() -> None:
    """Prepare the environment and become ``python -m fogline.stack`` in it."""
    tools = default_tools(default_home())
    try:
        python = ensure_environment(tools)
    except subprocess.CalledProcessError as failure:
        command = " ".join(failure.cmd)
        raise SystemExit(
            f"fogline: the Python environment could not be made: {command} (exit {failure.returncode}), see above"
        ) from None
    except OSError as failure:
        raise SystemExit(f"fogline: the Python environment could not be made in {tools}: {failure}") from None
    environment = os.environ | {"PYTHONPATH": python_path(), **bytecode(tools)}
    os.execve(python, [str(python), "-m", "fogline.stack", *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
