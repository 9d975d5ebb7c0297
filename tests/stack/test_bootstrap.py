"""The launcher's part that runs before there is an environment."""

import subprocess
from pathlib import Path

import pytest

from fogline.stack import bootstrap

REPOSITORY = Path(__file__).parents[2]


def launch(path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/bash", str(REPOSITORY / "fogline"), "--help"], env={"PATH": str(path)}, capture_output=True, text=True
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    return tmp_path


def test_no_python_is_one_clear_line(path: Path) -> None:
    done = launch(path)
    assert done.returncode == 1
    assert "Python 3.11 or 3.12" in done.stderr and "python3 was not found" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unusable_python_is_named_with_its_version(path: Path) -> None:
    # It answers what its version is and refuses everything else, as a Python 3.10 would.
    script = path / "python3"
    script.write_text('#!/bin/bash\ncase "$*" in *"print("*) echo "python3 is 3.10";; *) exit 1;; esac\n')
    script.chmod(0o755)
    done = launch(path)
    assert done.returncode == 1
    assert "python3 is 3.10" in done.stderr


class Uv:
    """Stands for uv: makes the environment's Python, or fails."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = False

    def __call__(self, tools: Path, *arguments: str) -> None:
        self.calls.append(" ".join(arguments[:2]))
        python = tools / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch(mode=0o755)
        if self.fails and arguments[0] == "pip":
            raise subprocess.CalledProcessError(1, ["uv", *arguments])


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Uv:
    stand_in = Uv()
    monkeypatch.setattr(bootstrap, "uv_command", stand_in)
    monkeypatch.setattr(bootstrap, "_ensure_uv", lambda tools: None)
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    monkeypatch.setattr(bootstrap, "LOCK", lock)
    return stand_in


def test_the_environment_is_made_once_and_again_for_another_lock(uv: Uv, tmp_path: Path) -> None:
    for _ in range(2):
        bootstrap.ensure_environment(tmp_path / "tools")
    assert uv.calls == ["venv --quiet", "pip sync", "cache clean"]
    bootstrap.LOCK.write_text("a==2\n")
    bootstrap.ensure_environment(tmp_path / "tools")
    assert len(uv.calls) == 6


def test_an_interrupted_environment_is_made_again(uv: Uv, tmp_path: Path) -> None:
    uv.fails = True
    with pytest.raises(subprocess.CalledProcessError):
        bootstrap.ensure_environment(tmp_path / "tools")
    uv.fails = False
    bootstrap.ensure_environment(tmp_path / "tools")
    assert uv.calls == ["venv --quiet", "pip sync", "venv --quiet", "pip sync", "cache clean"]


def test_the_lock_s_entry_comes_with_its_hashes(uv: Uv) -> None:
    bootstrap.LOCK.write_text(
        "b==1 \\\n    --hash=sha256:bb\nuv==2 \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd\nz==1\n"
    )
    assert bootstrap.locked_requirement("uv") == "uv==2 \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd"


def test_homes_and_tools_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FOGLINE_TOOLS", raising=False)
    monkeypatch.setenv("FOGLINE_HOME", str(tmp_path))
    assert bootstrap.default_tools(bootstrap.default_home()) == tmp_path / "tools"
    monkeypatch.setenv("FOGLINE_TOOLS", "elsewhere")
    assert bootstrap.default_tools(tmp_path) == Path.cwd() / "elsewhere"
