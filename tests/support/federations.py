"""A small federation for tests: two fogs, one linear feature, daily intervals."""

from pathlib import Path
from typing import Any

import yaml

from fogline.federation import Federation, load_federation

SMALL: dict[str, Any] = {
    "description": "A small federation",
    "start": "2024-01-01T00:00:00Z",
    "interval": "P1D",
    "window": "P2D",
    "fields": {"x": {"min": -10, "max": 10}, "y": {"min": -100, "max": 100}},
    "fogs": {"fog-a": {"sensors": ["s1"]}, "fog-b": {"sensors": ["s2"]}},
    "features": {"x": "x"},
    "target": {"name": "y", "expression": "y"},
    "model": {"kind": "linear"},
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.1},
    "round": {"quorum": "all", "grace_s": 0.5, "deadline_s": 20},
    "initialise": {"window_start": "2024-01-01T00:00:00Z", "window_end": "2024-01-08T00:00:00Z"},
}


def write_federation(folder: Path, name: str = "small", **changes: Any) -> Path:
    """Write a federation file, with top-level keys changed (None removes one)."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def small_federation(folder: Path, **changes: Any) -> Federation:
    """Return the small federation with top-level keys changed."""
    return load_federation(write_federation(folder, **changes))
