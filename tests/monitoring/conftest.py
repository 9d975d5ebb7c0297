"""Registries as exporter, fog and producer serve them, and Prometheus' programs."""

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from fogline.stack.settings import Settings
from producer.metrics import ProducerMetrics
from spark_jobs.fog.metrics import FogMeter, FogMetrics
from spark_jobs.fog.state import FogState
from spark_jobs.fog.store import ReadingStore
from tests.support.debian import Program, program

FogMaker = Callable[[FogMetrics, str], FogMeter]


@pytest.fixture(scope="session")
def promtool() -> Program:
    return program(Settings().tools, "prometheus", "usr/bin/promtool")


@pytest.fixture
def make_fog(tmp_path: Path) -> FogMaker:
    """Make a fog's meter over an empty state and store."""

    def make(metrics: FogMetrics, fog: str) -> FogMeter:
        folder = tmp_path / fog
        folder.mkdir()
        return metrics.of(fog, FogState(folder / "state"), ReadingStore(folder / "readings", {}, dt.timedelta(1)))

    return make


@pytest.fixture
def fog_registry(make_fog: FogMaker) -> CollectorRegistry:
    metrics = FogMetrics()
    make_fog(metrics, "fog-1")
    return metrics.registry


@pytest.fixture
def producer_registry() -> CollectorRegistry:
    return ProducerMetrics(math.inf).registry
