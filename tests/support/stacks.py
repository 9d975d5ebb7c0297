"""Real stacks for tests: a fresh home, free ports, the tools shared with the environment that runs the tests."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from fogline.stack.ports import free_ports
from fogline.stack.settings import Settings
from fogline.stack.stack import Stack
from tests.support.kept_logs import THIS_SESSION

REPOSITORY = Path(__file__).parents[2]
# Enough for some weekly rounds, and replayed in a moment.
JANUARY_READINGS = "la_haute_borne --to 2014-06-01T00:00:00Z"


def january_federation(folder: Path, **changes: Any) -> Path:
    """Write the demo's federation file with statistics over January alone, and top-level keys changed."""
    folder.mkdir(parents=True, exist_ok=True)
    content = yaml.safe_load((REPOSITORY / "dags" / "federations" / "wind_farm.yaml").read_text())
    window = {"window_start": "2014-01-01T00:00:00Z", "window_end": "2014-02-01T00:00:00Z"}
    path = folder / "wind_farm.yaml"
    path.write_text(yaml.safe_dump({**content, "initialise": window, **changes}))
    return folder


@contextlib.contextmanager
def fresh_home() -> Iterator[Path]:
    """Make a short folder that any user can enter (Postgres may run as another); it is gone afterwards.

    Its logs are kept if a test failed.
    """
    home = Path(tempfile.mkdtemp(prefix="fogline-test-"))
    home.chmod(0o755)
    try:
        with THIS_SESSION.kept_if_failed(home):
            yield home
    finally:
        shutil.rmtree(home)


def settings_for(home: Path, **changes: Any) -> Settings:
    """Return settings with free ports for a stack in ``home``."""
    names = [name for name in Settings.model_fields if name.endswith("_port")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    return Settings(home=home, tools=Settings().tools, **{**ports, **changes})


@contextlib.contextmanager
def fresh_stack(**changes: Any) -> Iterator[Stack]:
    """Give a stack that isn't up, with a home of its own; it is down and gone afterwards."""
    with fresh_home() as home:
        stack = Stack(settings_for(home, **changes))
        try:
            yield stack
        finally:
            stack.down()
