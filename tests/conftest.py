"""The session's one real stack, started in the pieces that tests ask for; unit tests start nothing."""

import logging
import os
from collections.abc import Iterator

import pytest

from fogline.stack import ports
from fogline.stack.settings import HOST, Settings
from fogline.stack.stack import Stack
from tests.support import kept_logs
from tests.support.cassandra import LOGIN, PASSWORD, Cassandra
from tests.support.crashes import Armory, armed_environment
from tests.support.mongo import Mongo
from tests.support.stacks import JANUARY_READINGS, fresh_stack, january_federation

N_LANES = 2
# Of the tests that need no whole stack, those that make the two lanes equally long.
BESIDE_THE_STACK = ("test_a_day_of_faults.py", "test_kafka_as_it_is.py")
# It tells each closed connection, also after pytest has closed the log.
logging.getLogger("py4j").setLevel(logging.WARNING)


def pytest_configure(config: pytest.Config) -> None:
    """Keep logs, and give each of two lanes ports of its own: both choose at random, and bind what they chose later."""
    config.pluginmanager.register(kept_logs)
    if lane := os.environ.get("FOGLINE_TEST_LANE"):
        ports.CLIENT_FREE_PORTS = ports.CLIENT_FREE_PORTS[int(lane) :: N_LANES]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that change what the others start from behind them, and mark the lane of the long ones on the stack."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    for item in items:
        on_the_stack = {"session_stack", "stack"} <= set(getattr(item, "fixturenames", ()))
        if on_the_stack or item.path.name in BESIDE_THE_STACK:
            item.add_marker("long_lane")


@pytest.fixture(scope="session")
def armory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Armory]:
    """Kill points in the processes of the session's stack; they strike nobody until a test arms one."""
    with armed_environment(tmp_path_factory.mktemp("killpoints")) as armory:
        yield armory


@pytest.fixture(scope="session")
def statsd_port() -> Iterator[int]:
    """Where the session's Airflow sends its metrics, heard or not."""
    with pytest.MonkeyPatch.context() as patch:
        (port,) = ports.free_ports(1)
        settings = {"ON": True, "HOST": HOST, "PORT": port, "INFLUXDB_ENABLED": True}
        for name, value in settings.items():
            patch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", str(value))
        patch.setenv("AIRFLOW__METRICS__LEGACY_NAMES_ON", "False")
        yield port


@pytest.fixture(scope="session")
def session_stack(armory: Armory, statsd_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The session's stack, of which nothing runs before one of the fixtures below."""
    # The warm engine: a JVM for each of some forty rounds would be most of what the tests take.
    federations = january_federation(tmp_path_factory.mktemp("federations"), aggregation="spark-connect")
    with fresh_stack(federations=federations, producer_source=JANUARY_READINGS) as stack:
        yield stack


@pytest.fixture(scope="session")
def kafka(session_stack: Stack) -> str:
    """Bootstrap servers of the session's broker."""
    session_stack.start_servers("kafka")
    return session_stack.parts.kafka.bootstrap_servers


@pytest.fixture(scope="session")
def postgres(session_stack: Stack) -> str:
    """SQLAlchemy address of a superuser on the session's Postgres; tests make databases of their own."""
    session_stack.start_servers("postgres")
    return session_stack.parts.postgres.url("postgres")


@pytest.fixture(scope="session")
def stack(session_stack: Stack) -> Stack:
    """The whole stack, without a producer."""
    session_stack.up(producer=False)
    return session_stack


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a keyspace, not made yet, of the session's Cassandra."""
    node = Cassandra(tmp_path_factory.mktemp("cassandra"), Settings().tools)
    try:
        node.start()
        yield f"cassandra://{LOGIN}:{PASSWORD}@{HOST}:{node.port}/fogline"
    finally:
        node.stop()


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a database of the session's stand-in for MongoDB."""
    server = Mongo(tmp_path_factory.mktemp("mongo"), Settings().tools)
    try:
        server.start()
        yield f"mongodb://{HOST}:{server.port}/fogline"
    finally:
        server.stop()
