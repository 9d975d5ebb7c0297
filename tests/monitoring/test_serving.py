"""The metrics' port: absent, taken, wrong, and the exporter as a program."""

import logging
import socket

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, Counter

from fogline.metrics import ADDRESS_VARIABLE, PORT_VARIABLE
from fogline.metrics.__main__ import main
from fogline.metrics.serving import MetricsError, serve_if_asked
from fogline.stack.ports import free_ports
from spark_jobs.fog.errors import Decline
from spark_jobs.fog.metrics import FogMetrics
from spark_jobs.fog.rules import RejectionKind
from tests.monitoring.conftest import FogMaker
from tests.support.prometheus import HOST, scraped_text

LOG = logging.getLogger("fog")


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, HOST)


@pytest.mark.parametrize("text", [None, ""])
def test_without_the_variable_nothing_listens(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(PORT_VARIABLE, text)
    registry = CollectorRegistry()
    assert serve_if_asked(registry, LOG) is None
    assert list(registry.collect()) == []


def test_with_it_the_registry_is_served_and_the_process_numbers_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv(PORT_VARIABLE, str(port))
    registry = CollectorRegistry()
    Counter("fogline_things", "Things", registry=registry).inc(3)
    assert serve_if_asked(registry, LOG) == port
    text = scraped_text(port)
    assert "fogline_things_total 3.0" in text and "process_resident_memory_bytes" in text
    assert "_created" not in text


def test_a_taken_port_is_one_line_and_the_program_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server((HOST, 0)) as holder:
        port = holder.getsockname()[1]
        monkeypatch.setenv(PORT_VARIABLE, str(port))
        assert serve_if_asked(CollectorRegistry(), LOG) is None
    (said,) = caplog.messages
    assert said.startswith(f"{PORT_VARIABLE}={port}: no metrics, for {HOST}:{port} can't be listened on")


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "9109.5"])
def test_what_is_no_port_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PORT_VARIABLE, text)
    with pytest.raises(MetricsError, match=f"{PORT_VARIABLE} is '{text}'; give it a port from 1 to 65535"):
        serve_if_asked(CollectorRegistry(), LOG)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (None, "FOGLINE_LEDGER_URL is not set; give it postgresql://"),
        ("nonsense", "FOGLINE_LEDGER_URL is no address that can be used"),
    ],
)
def test_the_exporter_says_in_one_line_what_it_lacks(url: str | None, says: str) -> None:
    done = CliRunner(env={"FOGLINE_LEDGER_URL": url}).invoke(main, ["--port", str(free_ports(1)[0])])
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {says}") and len(done.output.splitlines()) == 1


def test_the_exporter_names_a_port_that_is_taken() -> None:
    with socket.create_server((HOST, 0)) as holder:
        port = str(holder.getsockname()[1])
        exporter = CliRunner(env={"FOGLINE_LEDGER_URL": "sqlite://"})
        done = exporter.invoke(main, ["--port", port, "--address", HOST])
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: --port {port}: can't listen on {HOST}:{port} (")


def test_fogs_of_one_application_share_a_registry_and_their_series_stay_the_same(make_fog: FogMaker) -> None:
    metrics = FogMetrics()
    meters = [make_fog(metrics, fog) for fog in ("fog-1", "fog-2")]

    def series() -> set[tuple[str, frozenset[tuple[str, str]]]]:
        return {
            (sample.name, frozenset(sample.labels.items()))
            for family in metrics.registry.collect()
            for sample in family.samples
        }

    before = series()
    for number in range(50):
        for meter in meters:
            meter.batch({"kept": 1000, **dict.fromkeys(RejectionKind, 1), f"a name that nobody knows {number}": 1})
            meter.lag(number)
    assert series() == before
    value = metrics.registry.get_sample_value
    assert value("fogline_fog_readings_kept_total", {"fog": "fog-2"}) == 50_000
    assert value("fogline_fog_records_quarantined_total", {"fog": "fog-1", "reason": "out_of_range"}) == 50
    assert value("fogline_fog_plans_declined_total", {"fog": "fog-1", "reason": Decline.NO_READINGS}) == 0
