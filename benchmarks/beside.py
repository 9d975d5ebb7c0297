"""Measure what a round is set beside: the smallest Spark job with its JVM, and NVFlare's POC on the same readings."""

import json
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fogline.stack.stack import Stack

SMALLEST_JOB = """\
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
assert spark.range(10).count() == 10
spark.stop()
"""
N_STARTS = 3
PEER_LIMIT_S = 1800


def smallest_job_s(stack: Stack) -> float:
    """Return the median seconds of a spark-submit of the smallest job with the stack's configuration."""
    script = stack.settings.home / "smallest_job.py"
    script.write_text(SMALLEST_JOB)
    command, environment = stack.parts.spark.submit(str(script)), stack.environment()
    took = []
    for _ in range(N_STARTS):
        began = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the smallest Spark job failed: {done.stderr[-1000:]}")
        took.append(time.monotonic() - began)
    return statistics.median(took)


@dataclass(frozen=True)
class Peer:
    """NVFlare and the scripts that run it.

    Attributes
    ----------
    python
        Of an environment that holds ``nvflare==2.9.0``.
    scripts
        The folder of ``nvflare_bench.py``.
    data
        The folder of the readings that ``prep_wind.py``, beside it, made from the wheel of ``openoa==3.2``.
    """

    python: Path
    scripts: Path
    data: Path

    def run(self, n_rounds: int, folder: Path) -> dict[str, Any]:
        """Run rounds by the POC, with its mutual TLS, and return what its script measured."""
        out = folder / "nvflare"
        command = [self.python, self.scripts / "nvflare_bench.py", "poc", "--rounds", str(n_rounds)]
        command += ["--data", self.data, "--out", out, "--limit", str(PEER_LIMIT_S)]
        done = subprocess.run(list(map(str, command)), cwd=self.scripts, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"NVFlare's POC failed: {(done.stdout + done.stderr)[-1000:]}")
        return dict(json.loads((out / "result.json").read_text()))
