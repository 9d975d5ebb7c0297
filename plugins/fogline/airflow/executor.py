"""Airflow's LocalExecutor, for a machine with few cores on which any process may be killed."""

import os
from multiprocessing.connection import wait
from typing import Any

from airflow.executors.local_executor import LocalExecutor

from fogline.airflow.preload import TASKS, preload
from fogline.airflow.supervision import see_ended_tasks

# While nothing happens the scheduler looks for new DAG runs so often.
IDLE_S = 1.0


class VigilantLocalExecutor(LocalExecutor):
    """A LocalExecutor that wakes its scheduler when a task has ended, and restarts it when a worker was killed.

    **Waking.** Airflow's scheduler sleeps a fixed time between two looks at its database, so it is either late or busy.
    Here it does not sleep by itself (``scheduler_idle_sleep_time`` is 0): its executor waits, for a result or for
    :data:`IDLE_S`. After a result the scheduler gets the looks that follow from it: one to queue the next task, or to
    end the run, and one to begin the next run.

    **Killed workers.** The workers take tasks from one queue, each while it holds the queue's lock. A worker that is
    killed there keeps the lock for ever, and no worker takes a task again; Airflow only starts more of them. A new
    scheduler has new queues, and takes up again the tasks that the old one had given out.
    """

    N_LOOKS_AFTER_A_RESULT = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._n_looks_left = self.N_LOOKS_AFTER_A_RESULT

    def start(self) -> None:
        """Import what tasks need, then fork the workers."""
        preload(TASKS)
        see_ended_tasks()
        super().start()

    def sync(self) -> None:
        """Wait if nothing is to be done; then look for killed workers, and do as Airflow does."""
        if self._n_looks_left:
            self._n_looks_left -= 1
        else:
            self._wait()
        self._require_workers()
        if not self.result_queue.empty():
            self._n_looks_left = self.N_LOOKS_AFTER_A_RESULT
        super().sync()

    def _wait(self) -> None:
        # A pipe's end and processes' sentinels: it returns at once when one has something to say.
        reader = self.result_queue._reader  # type: ignore[attr-defined]
        wait([reader, *(worker.sentinel for worker in self.workers.values())], IDLE_S)

    def _require_workers(self) -> None:
        killed = [pid for pid, worker in self.workers.items() if (worker.exitcode or 0) < 0]
        if killed:
            self.log.error("Worker %s was killed and may hold the queue's lock; the scheduler starts anew", killed)
            for worker in self.workers.values():
                worker.kill()
            # Not an orderly end, which would wait for workers that wait for the lock.
            os._exit(1)
