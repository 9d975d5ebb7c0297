"""Faults in the middle of a round: a clear message, nothing lost, and the round or the next one is right."""

import contextlib

import psutil
import pytest

from fogline.stack.waiting import wait_until
from tests.support.farm import ROUNDS, Farm

pytestmark = pytest.mark.timeout(600)


def next_run(farm: Farm) -> tuple[int, str]:
    """Start the next round by hand; return its interval and run."""
    head = farm.chain()[-1].interval_index
    farm.runs.unpause(ROUNDS)
    return (0 if head is None else head + 1), farm.runs.trigger(ROUNDS)


def java_of_the_aggregation(farm: Farm) -> psutil.Process | None:
    """Return the aggregation job's JVM on this stack."""
    home = str(farm.stack.settings.home)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = " ".join(process.cmdline())
            is_job = "org.apache.spark.deploy.SparkSubmit" in command and "aggregate_round.py" in command
            if is_job and process.environ().get("FOGLINE_HOME") == home:
                return process
    return None


def test_a_fog_killed_while_it_should_train_comes_back_and_answers(farm: Farm) -> None:
    index, run = next_run(farm)
    fog = farm.stack.supervisor.state("fog")
    psutil.Process(fog.pid).kill()
    farm.wait(ROUNDS, run)
    assert farm.chain()[-1].interval_index == index
    assert farm.stack.supervisor.state("fog").pid != fog.pid


def test_an_aggregation_job_that_is_killed_is_run_again(farm: Farm) -> None:
    index, run = next_run(farm)
    found: list[psutil.Process] = []

    def is_there() -> bool:
        process = java_of_the_aggregation(farm)
        found.extend([process] if process else [])
        return process is not None

    wait_until(is_there, what="the aggregation's JVM", deadline_s=120, every_s=0.05)
    found[0].kill()
    farm.wait(ROUNDS, run)
    assert farm.chain()[-1].interval_index == index
    assert "AirflowException: Cannot execute" in farm.log(run, "aggregate_weights", 1)
    assert "Candidate" in farm.log(run, "aggregate_weights", 2)


def test_a_restart_of_postgres_loses_nothing(farm: Farm) -> None:
    before = [(row.version, row.digest) for row in farm.chain()]
    farm.stack.supervisor.stop_program("postgres")
    farm.stack.start_servers("postgres")
    index, run = next_run(farm)
    farm.wait(ROUNDS, run)
    assert [(row.version, row.digest) for row in farm.chain()[:-1]] == before
    assert farm.chain()[-1].interval_index == index
