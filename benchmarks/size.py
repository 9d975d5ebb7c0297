"""Size: a round's wall time and memory while the ledger grows, with many fogs in one federation.

``./fogline run python benchmarks/size.py --rounds 500 --fogs 200`` fills a ledger by the real code on a broker and a
Postgres of its own. Stand-ins publish real updates and scores for the fogs; all else is what the tasks of a round do,
with the aggregation on one warm local Spark session. What the stand-ins take to publish is not counted.
"""

import argparse
import datetime as dt
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from fogline.artifacts import ArtifactStore
from fogline.federation import Federation
from fogline.kafka.topics import ensure_topics
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.messages.plan import EventTimeSpan
from fogline.messages.seal import Seal
from fogline.rounds.judge import PlanState
from fogline.stack.parts import LEDGER_DATABASE
from fogline.stack.stack import Stack
from fogline.steps import aggregate, measure
from fogline.steps.collect import Collector
from fogline.steps.initialise import commit_first_model
from fogline.steps.publish import publish_candidate
from fogline.steps.services import Services
from fogline.steps.train import RunRequest, announce_round
from spark_jobs.aggregation.job import run as run_job
from tests.support.federations import small_federation
from tests.support.fogs import Crowd, scores_of, statistics_of
from tests.support.rounds import NO_OTHERS
from tests.support.stacks import fresh_stack

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")

STEPS = ("announce", "collect", "aggregate", "evaluate", "publish")
# Over so many rounds up to the one that is asked for the median is taken.
N_MEASURED = 9
# The round that the last one is compared with.
FIRST_MARK = 10
COLLECT_S = 120.0


@dataclass
class Measured:
    """One round: seconds by step, and what it left."""

    wall_s: dict[str, float] = field(default_factory=dict)
    rss_mib: float = 0.0
    ledger_mib: float = 0.0

    def time(self, step: str, work: Callable[[], T]) -> T:
        """Run a step's work and add its time."""
        began = time.perf_counter()
        try:
            return work()
        finally:
            self.wall_s[step] = self.wall_s.get(step, 0.0) + time.perf_counter() - began


class Rounds:
    """Runs rounds through the steps, as the tasks of a DAG run do."""

    def __init__(self, services: Services, federation: Federation, spark: "SparkSession") -> None:
        self._services, self._federation, self._spark = services, federation, spark
        self._crowd = Crowd(services.kafka)

    def initialise(self) -> None:
        """Commit version 0."""
        window = EventTimeSpan(start=self._federation.start, end=self._federation.start + self._federation.interval)
        state = measure.announce_statistics(self._services, self._federation, "init", window, COLLECT_S)
        self._crowd.answer(state.plan, {fog: statistics_of(state.plan, [1.0, 3.0]) for fog in state.plan.members})
        commit_first_model(self._services, self._federation, "init", self._collect(state))

    def round(self, number: int) -> Measured:
        """Run one round from announcement to publication."""
        services, federation, run = self._services, self._federation, f"run {number}"
        measured = Measured()
        request = RunRequest(run, None)
        opened = measured.time("announce", lambda: announce_round(services, federation, request, NO_OTHERS))
        self._crowd.update(opened.state.plan, number)
        seal = measured.time("collect", lambda: self._collect(opened.state))
        measured.time("aggregate", lambda: self._aggregate(seal))
        state = measured.time("evaluate", lambda: measure.announce_candidate(services, federation, run))
        scores = scores_of({"base": 2.0, "candidate": 1.0})
        self._crowd.answer(state.plan, dict.fromkeys(state.plan.members, scores))
        measured.time("evaluate", lambda: measure.record_evaluation(services, self._collect(state)))
        published = measured.time("publish", lambda: publish_candidate(services, federation, run))
        if published.outcome != "committed" or len(seal.answers) != len(federation.fogs):
            raise SystemExit(f"round {number}: {published.outcome} from {len(seal.answers)} fogs")
        return measured

    def _collect(self, state: PlanState) -> Seal:
        seal = Collector(self._services, state).poll_for(COLLECT_S)
        if seal is None:
            raise SystemExit(f"plan {state.plan.plan_id} was not sealed within {COLLECT_S:g} s")
        return seal

    def _aggregate(self, seal: Seal) -> None:
        aggregate.hand_over(self._services, seal)
        run_job(self._spark, self._services.store, seal.plan.plan_id, self._services.kafka)
        aggregate.require_candidate(aggregate.record_result(self._services, seal))


def make_services(stack: Stack) -> Services:
    """Start broker and Postgres and return an empty ledger, topics and a store on them."""
    stack.start_servers("kafka", "postgres")
    ensure_topics(stack.settings.bootstrap_servers)
    stack.parts.postgres.ensure_database(LEDGER_DATABASE)
    upgrade(stack.parts.ledger_url)
    store = ArtifactStore(f"file://{stack.settings.home}/models")
    return Services(Ledger(stack.parts.ledger_url), {"bootstrap.servers": stack.settings.bootstrap_servers}, store)


def federation_of(folder: Path, n_fogs: int, n_rounds: int) -> Federation:
    """Return a federation of daily intervals, all of them past, with one sensor a fog."""
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    if start + dt.timedelta(days=n_rounds) > dt.datetime.now(dt.UTC):
        raise SystemExit("so many daily intervals since 2020 are not over yet")
    fogs = {f"fog-{number:03}": {"sensors": [f"s{number:03}"]} for number in range(n_fogs)}
    policy = {"quorum": "all", "grace_s": 1, "deadline_s": COLLECT_S}
    model = {"kind": "mlp", "hidden": [16, 16]}
    return small_federation(folder, name="size", start=start.isoformat(), fogs=fogs, round=policy, model=model)


def spark_session(stack: Stack) -> "SparkSession":
    """Return a warm local session with the stack's configuration."""
    os.environ.update(stack.parts.spark.environment(Path(sys.executable)))
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def ledger_mib(ledger: Ledger) -> float:
    """Return the size of the ledger's database."""
    with ledger.transaction() as session:
        return float(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one()) / 2**20


def report(console: Console, measured: list[Measured], marks: list[int]) -> None:
    """Print medians of the rounds up to each mark, and the last one's ratio to the first."""
    groups = [measured[:mark][-N_MEASURED:] for mark in marks]
    table = Table("", *(f"round {mark}" for mark in marks), "ratio")

    def row(name: str, value: Callable[[Measured], float], unit: str) -> None:
        medians = [statistics.median(value(one) for one in group) for group in groups]
        table.add_row(name, *(f"{median:.3g} {unit}" for median in medians), f"{medians[-1] / medians[0]:.2f}")

    for step in STEPS:
        row(step, lambda one, step=step: one.wall_s[step], "s")  # type: ignore[misc]
    row("whole round", lambda one: sum(one.wall_s.values()), "s")
    row("memory of the process", lambda one: one.rss_mib, "MiB")
    row("ledger", lambda one: one.ledger_mib, "MiB")
    console.print(table)


def run_all(rounds: Rounds, ledger: Ledger, n_rounds: int, console: Console) -> Iterable[Measured]:
    """Run the rounds, tell how it goes, and give what was measured of each."""
    rounds.initialise()
    gc.freeze()
    for number in range(1, n_rounds + 1):
        # In the stack each task is a process of its own, which has no garbage of earlier rounds to look through.
        gc.collect()
        measured = rounds.round(number)
        measured.rss_mib = psutil.Process().memory_info().rss / 2**20
        measured.ledger_mib = ledger_mib(ledger)
        if number % 50 == 0:
            console.print(f"round {number}: {sum(measured.wall_s.values()):.2f} s, {measured.rss_mib:.0f} MiB")
        yield measured


def main(argv: list[str] | None = None) -> int:
    """Fill a ledger and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--fogs", type=int, default=200)
    arguments = parser.parse_args(argv)
    console = Console(width=110)
    with fresh_stack() as stack:
        services = make_services(stack)
        federation = federation_of(stack.settings.home, arguments.fogs, arguments.rounds)
        rounds = Rounds(services, federation, spark_session(stack))
        measured = list(run_all(rounds, services.ledger, arguments.rounds, console))
    marks = sorted({FIRST_MARK, *range(100, arguments.rounds, 100), arguments.rounds})
    console.print(f"{arguments.fogs} fogs; medians of {N_MEASURED} rounds up to the one named")
    report(console, measured, marks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
