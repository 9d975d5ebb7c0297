"""A federation of its own for each test, a ledger, a store and the real broker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud, new_cloud


@pytest.fixture
def make_cloud(kafka: str, tmp_path: Path) -> Callable[..., Cloud]:
    def make(**changes: Any) -> Cloud:
        return new_cloud(kafka, tmp_path, changes)

    return make


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud()
