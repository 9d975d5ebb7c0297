"""Kill points: at the entry of named functions a process may die or wait, as a test has armed it.

Python imports this in every process whose PYTHONPATH has this folder: Airflow's, its tasks, the fogs, the aggregation
job. A test arms a point by a file of its name in the folder FOGLINE_KILLPOINTS (see `tests.support.crashes.Armory`);
the first process to enter the function takes the file, so that exactly one is struck. It kills itself, or waits until
the test lets it go on.
"""

import functools
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from pathlib import Path

FOLDER = os.environ.get("FOGLINE_KILLPOINTS")
# module:attribute, as the module that calls the function knows it.
POINTS = {
    "announce, the round is open": "fogline.steps.train:announce",
    "announce, blocks sent": "fogline.steps.announce:record_body",
    "announce, plan recorded": "fogline.steps.announce:Record",
    "announce, plan sent": "fogline.steps.announce:record_announcement",
    "collect, judging": "fogline.steps.collect:Docket",
    "collect, judged": "fogline.steps.collect:seal_plan",
    "collect, sealed": "fogline.airflow.operators.collect:hand_over",
    "collect, handed over": "fogline.airflow.operators.collect:PokeReturnValue",
    "aggregate, in the job": "spark_jobs.aggregation.job:write_candidate",
    "aggregate, candidate written": "spark_jobs.aggregation.job:write_result",
    "aggregate, result written": "fogline.airflow.operators.aggregate:record_result",
    "aggregate, result recorded": "fogline.airflow.operators.aggregate:contributions_table",
    "evaluate, not announced": "fogline.steps.measure:announce",
    "evaluate, sealed": "fogline.airflow.operators.evaluate:record_evaluation",
    "publish, not committed": "fogline.steps.publish:_commit_or_compare",
    "publish, committed": "fogline.steps.publish:send_head",
    "publish, head sent": "fogline.airflow.operators.publish:tell",
    "fog, plan read": "spark_jobs.fog.answer:Answerer.answer",
    "fog, blocks sent": "spark_jobs.fog.node:Record",
    "fog, answer sent": "spark_jobs.fog.state:FogState.mark_answered",
}
# Not part of a round: of a fog's ingest.
INGEST_POINTS = {
    "ingest, recorded": "spark_jobs.fog.metrics:FogMeter.batch",
    "ingest, not recorded": "spark_jobs.fog.state:FogState.record_batch",
    "migration, position noted": "spark_jobs.fog.folder:FogFolder.note_layout",
    "migration, layout noted": "spark_jobs.fog.layout:remove_sparks_files",
}
HOLD_DEADLINE_S = 300.0


def strike(point):
    """Die or wait if the point is armed."""
    marker, taken = Path(FOLDER) / point, Path(FOLDER) / f"{point}.taken-{os.getpid()}"
    try:
        marker.rename(taken)
    except FileNotFoundError:
        return
    if taken.read_text() == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    until = time.monotonic() + HOLD_DEADLINE_S
    while taken.exists() and time.monotonic() < until:
        time.sleep(0.01)


def guard(module, path, point):
    """Replace a function or method of a module by one that is struck at its entry."""
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, module)
    inner = getattr(owner, name)

    @functools.wraps(inner, updated=())
    def entered(*args, **kwargs):
        strike(point)
        return inner(*args, **kwargs)

    setattr(owner, name, entered)


class Guards(importlib.abc.MetaPathFinder):
    """Finds the modules that have points as everybody else does, and guards them once they are loaded."""

    def __init__(self):
        self.by_module = {}
        for point, place in (POINTS | INGEST_POINTS).items():
            module, path = place.split(":")
            self.by_module.setdefault(module, []).append((path, point))

    def find_spec(self, name, path=None, target=None):
        if name not in self.by_module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            load, points = spec.loader.exec_module, self.by_module[name]

            def load_and_guard(module):
                load(module)
                # The loader of a zip file is one for all its modules.
                for where, point in points if module.__name__ == name else ():
                    guard(module, where, point)

            spec.loader.exec_module = load_and_guard
        return spec


if FOLDER:
    sys.meta_path.insert(0, Guards())
