"""A real Prometheus with the deployed configuration on the whole stack: all is scraped, and every panel has data."""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from fogline.ledger.schema import AnswerRow, Round
from fogline.metrics import PORT_VARIABLE
from fogline.stack.errors import StackError
from fogline.stack.ports import free_ports
from fogline.stack.waiting import wait_until
from tests.support.debian import program
from tests.support.farm import Farm
from tests.support.go import built
from tests.support.prometheus import DEPLOY, HOST, Prometheus, dashboard_queries, deployed_config, process, running
from tests.support.stacks import REPOSITORY

pytestmark = pytest.mark.timeout(600)
EXPORTER = "github.com/prometheus/statsd_exporter"
EXPORTER_VERSION = "v0.28.0"
BRANCH = {"from": "main@0", "aggregation": "spark-connect"}
ANSWERED_S = 90.0


@pytest.fixture(scope="module")
def watched(farm: Farm) -> Farm:
    """A branch with one round."""
    branch = farm.on_branch("watched", BRANCH)
    branch.wait(branch.dag_id, branch.runs.trigger(branch.dag_id))
    return branch


@pytest.fixture(scope="module")
def prometheus(watched: Farm, statsd_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, and what it scrapes beside the stack: the exporters, and a producer that sends on."""
    stack, folder = watched.stack, tmp_path_factory.mktemp("prometheus")
    server = program(stack.settings.tools, "prometheus", "usr/bin/prometheus")
    statsd_exporter = built(stack.settings.tools, EXPORTER, EXPORTER_VERSION, EXPORTER)
    own_port, exporter_port, producer_port, web_port = free_ports(4)
    environment = stack.environment()
    producer = [sys.executable, str(REPOSITORY / "producer" / "sensor_producer.py"), "synthetic", "--sensor", "nobody"]
    producer += ["--every", "0.5", "--state", str(folder / "state")]
    exporter = [sys.executable, "-m", "fogline.metrics", "--port", str(exporter_port), "--address", HOST]
    statsd = [str(statsd_exporter), f"--statsd.mapping-config={DEPLOY / 'statsd' / 'mapping.yml'}"]
    statsd += [
        f"--statsd.listen-udp={HOST}:{statsd_port}",
        "--statsd.listen-tcp=",
        f"--web.listen-address={HOST}:{web_port}",
    ]
    addresses = {
        "exporter:9108": exporter_port,
        "fog-1:9109": stack.settings.fog_metrics_port,
        "producer:9109": producer_port,
        "statsd:9102": web_port,
    }
    config = deployed_config(folder, {name: f"{HOST}:{port}" for name, port in addresses.items()})
    with ExitStack() as running_beside:
        for name, command, changed in (
            ("exporter", exporter, {}),
            ("statsd", statsd, {}),
            ("producer", producer, {PORT_VARIABLE: str(producer_port)}),
        ):
            running_beside.enter_context(process(command, log_of(folder, name), {**environment, **changed}))
        found = running_beside.enter_context(running(server, config, own_port))
        found.await_targets()
        yield found


def log_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


def test_every_query_of_the_dashboards_is_answered_with_data(prometheus: Prometheus, watched: Farm) -> None:
    # Airflow tells of a run and its tasks when they end.
    watched.wait(watched.dag_id, watched.runs.trigger(watched.dag_id))
    unanswered = dashboard_queries()

    def all_are_answered() -> bool:
        for name, expression in list(unanswered.items()):
            if prometheus.query(expression):
                del unanswered[name]
        return not unanswered

    with contextlib.suppress(StackError):
        wait_until(all_are_answered, what="data for every query", deadline_s=ANSWERED_S, every_s=1.0)
    assert unanswered == {}


def test_the_numbers_are_the_ledgers(prometheus: Prometheus, watched: Farm) -> None:
    mine = f'{{federation="wind_farm",branch="{watched.branch}"}}'
    with watched.ledger.transaction() as session:
        of_branch = select(func.count()).select_from(Round).where(Round.branch == watched.branch)
        n_committed = session.scalar(of_branch.where(Round.outcome == "committed"))
        plans = f"wind_farm/{watched.branch}/%"
        accepted = AnswerRow.verdict == "accepted"
        query = select(AnswerRow.fog, func.count()).where(AnswerRow.plan_id.like(plans), accepted)
        n_accepted = dict(session.execute(query.group_by(AnswerRow.fog)).tuples().all())

    def agree() -> bool:
        rounds = prometheus.values(f"fogline_rounds{mine}", "outcome")
        answers = prometheus.values(f'fogline_answers{{branch="{watched.branch}",verdict="accepted"}}', "fog")
        version = prometheus.values(f"fogline_head_version{mine}", "branch")
        found = (rounds.get("committed"), answers, version.get(watched.branch))
        return found == (n_committed, n_accepted, watched.chain()[-1].version)

    wait_until(agree, what="the ledger's numbers in Prometheus", deadline_s=ANSWERED_S, every_s=1.0)
