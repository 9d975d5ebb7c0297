"""Brokers and clusters that people already have: Kafka 3.9 with ZooKeeper, and Spark standalone, in one stack."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from fogline.blocks import vector_digest
from producer.sources.la_haute_borne import ensure_readings
from spark_jobs.aggregation.job import MAX_DRIVER_BYTES
from tests.support.farm import Farm
from tests.support.in_process import InProcess, fill_stores
from tests.support.other_clusters import OtherStack, StandaloneSpark, other_stack
from tests.support.stacks import january_federation

pytestmark = pytest.mark.timeout(600)
READINGS = "la_haute_borne --to 2014-01-16T00:00:00Z"
# Four updates of this model are more than the driver takes to itself and two are less, so that a round and its branch's
# take both ways of reducing to the cluster.
CHANGES = {
    "window": "P7D",
    "model": {"kind": "mlp", "hidden": [1000, 530]},
    "training": {"epochs": 1, "batch_size": 256, "learning_rate": 0.01},
    "promotion": {"tolerance": 1000},
    "initialise": {"window_start": "2014-01-01T00:00:00Z", "window_end": "2014-01-08T00:00:00Z"},
}
BRANCH = {"from": "main@1", "exclude": ["fog-3", "fog-4"]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherStack]:
    federations = january_federation(tmp_path_factory.mktemp("federations"), **CHANGES)
    with other_stack(federations=federations, producer_source=READINGS) as stack:
        yield stack


@pytest.fixture(scope="module")
def farms(stack: OtherStack) -> tuple[Farm, Farm]:
    """Return `main` after a round with four fogs, and a branch after one more with two."""
    farm = Farm(stack)
    farm.replay()
    farm.initialise()
    farm.backfill(0, 0)
    branch = farm.on_branch("half", BRANCH)
    branch.backfill(1, 1)
    return farm, branch


def test_the_chain_is_the_one_computed_in_one_process_to_the_byte(farms: tuple[Farm, Farm], tmp_path: Path) -> None:
    main, branch = farms
    readings = pq.read_table(ensure_readings(main.stack.settings.tools / "cache"))
    stores = fill_stores(main.federation, readings, tmp_path)
    whole = InProcess(main.federation, stores)
    first = whole.initialise()
    one = whole.round(first, first.parameters, 0)
    half = InProcess(branch.federation, {fog: stores[fog] for fog in branch.federation.fogs})
    two = half.round(first, one, 1)
    assert 2 * one.nbytes < MAX_DRIVER_BYTES < 4 * one.nbytes
    assert [row.digest for row in branch.chain()] == [vector_digest(one) for one in (first.parameters, one, two)]


def test_every_aggregation_ran_on_executors_of_the_standalone_cluster(
    stack: OtherStack, farms: tuple[Farm, Farm]
) -> None:
    plans = {row.plan_id for farm in farms for row in farm.chain()[1:]}
    cluster: StandaloneSpark = stack.parts.cluster
    ended = {app["name"]: app for app in cluster.state()["completedapps"] if app["state"] == "FINISHED"}
    assert set(ended) == {f"fogline aggregate {plan}" for plan in plans}
    for app in ended.values():
        (executor,) = (cluster.work / app["id"]).iterdir()
        assert "Finished task" in (executor / "stderr").read_text()
        # The worker has no PYTHONPATH to this repository: what its Python knows of Fogline was sent to it.
        assert (executor / "fogline.zip").is_file()


def test_the_broker_is_kafka_3_9_kept_by_zookeeper(stack: OtherStack, farms: tuple[Farm, Farm]) -> None:
    kafka = stack.parts.kafka
    assert "Zookeeper version: 3.8.4" in kafka.ask_zookeeper("srvr")
    registered = kafka.ask_zookeeper("dump")
    assert "/brokers/ids/0" in registered and "/controller" in registered
    broker = psutil.Process(stack.supervisor.state("kafka").pid)
    assert "kafka_2.13-3.9.2.jar" in " ".join(broker.cmdline())
