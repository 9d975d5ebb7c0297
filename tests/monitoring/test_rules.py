"""The deployed rules by Prometheus' own tool, and that nothing asks for a metric that nobody serves."""

import os
import re
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from fogline.metrics.families import FAMILIES, Sample, metric_families
from tests.support.debian import Program
from tests.support.prometheus import DEPLOY, dashboard_queries
from tests.support.stacks import REPOSITORY

PROMETHEUS = DEPLOY / "prometheus"
METRIC = re.compile(r"\b(?:fogline|airflow|process)_[a-z0-9_]+")


def run_promtool(promtool: Program, *arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(
        [promtool.path, *arguments],
        cwd=PROMETHEUS,
        env={**os.environ, **promtool.environment},
        input=given,
        capture_output=True,
        timeout=60,
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return type and labels of each metric in the documentation's tables."""
    text = (REPOSITORY / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (\w+) \| ([^|]+) \|", text, re.MULTILINE)
    return {name: (kind, () if labels == "-" else tuple(labels.split(", "))) for name, kind, labels in rows}


def served(registry: CollectorRegistry) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return type and labels of each metric that a registry serves, leaving out those without any sample."""
    found = {}
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        if family.samples:
            found[name] = (family.type, tuple(sorted(labels)))
    return found


def asked_for(expression: str) -> set[str]:
    return {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in METRIC.findall(expression)}


def test_configuration_and_rules_are_sound_and_each_alert_fires_and_is_silent_as_it_should(promtool: Program) -> None:
    run_promtool(promtool, "check", "config", "prometheus.yml")
    assert "SUCCESS" in run_promtool(promtool, "test", "rules", "alerts_test.yml")


def test_each_alert_has_a_case_of_each_kind_and_says_what_to_do() -> None:
    cases = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    tested = [(case["alertname"], bool(case["exp_alerts"])) for test in cases for case in test["alert_rule_test"]]
    assert sorted(tested) == sorted((name, fires) for name in alerts() for fires in (True, False))
    for rule in alerts().values():
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["runbook"].endswith(".")


def test_the_documentation_lists_what_is_served(
    fog_registry: CollectorRegistry, producer_registry: CollectorRegistry
) -> None:
    exposed = {name: (family.kind, tuple(sorted(family.labels))) for name, family in FAMILIES.items()}
    by_program = [exposed, served(fog_registry), served(producer_registry)]
    listed = {name: (kind, tuple(sorted(labels))) for name, (kind, labels) in documented().items()}
    for serves in by_program:
        assert {name: listed.get(name) for name in serves} == serves
    # Without a reading there is nothing to say of these.
    unset = {f"fogline_fog_{name}_timestamp_seconds" for name in ("newest_reading", "slowest_sensor")}
    ours = {name for name in listed if name.startswith("fogline_")}
    assert ours - unset == {name for serves in by_program for name in serves}


def test_the_documentation_lists_airflows_metrics_and_the_alerts() -> None:
    mapping = yaml.safe_load((DEPLOY / "statsd" / "mapping.yml").read_text())["mappings"]
    kept = {one["name"] for one in mapping if one.get("action") != "drop"}
    assert {name for name in documented() if name.startswith("airflow_")} == kept
    text = (REPOSITORY / "docs" / "metrics.md").read_text()
    assert re.findall(r"^\| `([A-Z]\w+)` \| ", text, re.M)[-len(alerts()) :] == list(alerts())


def test_alerts_and_dashboards_ask_for_metrics_that_exist() -> None:
    known = set(documented()) | {"process_resident_memory_bytes"}
    expressions = [rule["expr"] for rule in alerts().values()] + list(dashboard_queries().values())
    assert {name for expression in expressions for name in asked_for(expression)} - known == set()


@pytest.mark.parametrize("program", ["exporter", "fog", "producer"])
def test_names_and_types_follow_prometheus_conventions(
    program: str, promtool: Program, fog_registry: CollectorRegistry, producer_registry: CollectorRegistry
) -> None:
    disable_created_metrics()
    registry = {"fog": fog_registry, "producer": producer_registry}.get(program) or CollectorRegistry()
    if program == "exporter":
        registry.register(Everything())
    assert run_promtool(promtool, "check", "metrics", given=generate_latest(registry)) == ""


class Everything:
    """The exporter with a value of each metric."""

    def collect(self):  # type: ignore[no-untyped-def]
        return metric_families(Sample(name, ("x",) * len(family.labels), 1) for name, family in FAMILIES.items())
