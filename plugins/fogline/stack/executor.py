"""Airflow's LocalExecutor, for a machine on which any process may be killed."""

import os

from airflow.executors.local_executor import LocalExecutor


class VigilantLocalExecutor(LocalExecutor):
    """A LocalExecutor that has its scheduler start anew when a worker was killed.

    The workers take tasks from one queue, each while it holds the queue's lock. A worker that is killed there keeps the
    lock for ever, and no worker takes a task again; Airflow only starts more of them. A new scheduler has new queues,
    and takes up again the tasks that the old one had given out.
    """

    def sync(self) -> None:
        """Look for killed workers, then do as Airflow does."""
        killed = [pid for pid, worker in self.workers.items() if (worker.exitcode or 0) < 0]
        if killed:
            self.log.error("Worker %s was killed and may hold the queue's lock; the scheduler starts anew", killed)
            for worker in self.workers.values():
                worker.kill()
            # Not an orderly end, which would wait for workers that wait for the lock.
            os._exit(1)
        super().sync()
