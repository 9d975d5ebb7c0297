"""Aggregate a sealed round: ``spark-submit aggregate_round.py --plan PLAN_ID``.

FOGLINE_MODEL_STORE says where the seal lies, FOGLINE_KAFKA_BOOTSTRAP_SERVERS and FOGLINE_KAFKA_CONFIG where the blocks.
The exit status is 0 also when there is no candidate: the result in the store says why.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fogline.artifacts import ArtifactStore
from fogline.errors import FoglineError
from fogline.kafka.clients import config_from_environment
from spark_jobs.aggregation.job import run
from spark_jobs.kafka_options import REDACTION

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["main", "run"]

log = logging.getLogger("spark_jobs")


def main(argv: Sequence[str]) -> int:
    """Run the job and return its exit status."""
    parser = argparse.ArgumentParser(prog="aggregate_round", description="Aggregate the sealed updates of a plan.")
    parser.add_argument("--plan", required=True, metavar="PLAN_ID", help="federation/branch/number")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    try:
        store, kafka_config = ArtifactStore.from_environment(), config_from_environment()
        run(_session(arguments.plan), store, arguments.plan, kafka_config)
    except FoglineError as error:
        log.error("aggregate_round: %s", error)
        return 1
    return 0


def _session(plan_id: str) -> "SparkSession":
    # Here, not above: the function on a warm Connect session is imported without classic Spark.
    from pyspark.sql import SparkSession

    # The master is spark-submit's. One reducer, no UI: there is no shuffle, and the job lasts seconds.
    settings: dict[str, bool | float | int | str | None] = {
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
        "spark.log.level": "WARN",
        # The query is never run again: compiling it takes longer than running it.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        **REDACTION,
    }
    return SparkSession.builder.appName(f"fogline aggregate {plan_id}").config(map=settings).getOrCreate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
