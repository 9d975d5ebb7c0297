"""Real stacks for tests: a fresh home, free ports, the tools shared with the environment that runs the tests."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fogline.stack.ports import free_ports
from fogline.stack.settings import Settings
from fogline.stack.stack import Stack


@contextlib.contextmanager
def fresh_home() -> Iterator[Path]:
    """Make a short folder that any user can enter (Postgres may run as another); it is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="fogline-test-"))
    home.chmod(0o755)
    try:
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
