"""Secrets that the stack makes once and keeps in its home, readable by its owner alone."""

import os
from pathlib import Path

from fogline.stack.bootstrap import exclusive


def kept(path: Path, generated: str) -> str:
    """Return the secret kept in ``path``; the first call keeps ``generated`` there with mode 0600."""
    with exclusive(path.with_name("credentials.mutex")):
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.new")
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(generated)
            fresh.rename(path)
    return path.read_text()
