"""When each part of the stack counts as ready; every wait has a deadline and names the part and its log."""

import functools
from collections.abc import Callable, Iterable

from fogline.dag_ids import EVALUATE, INITIALISE, ROUND, dag_id
from fogline.stack.airflow import USER as AIRFLOW_USER
from fogline.stack.airflow_api import AirflowApi
from fogline.stack.errors import StackError
from fogline.stack.parts import Parts
from fogline.stack.ports import listening
from fogline.stack.supervise import Supervisor
from fogline.stack.waiting import wait_until

SERVER_DEADLINE_S = 60
START_DEADLINE_S = 180
PARSE_DEADLINE_S = 120
DAG_KINDS = (ROUND, INITIALISE, EVALUATE)


class Readiness:
    """The waits of one stack."""

    def __init__(self, parts: Parts, supervisor: Supervisor) -> None:
        self.parts, self.supervisor = parts, supervisor

    def servers(self, names: Iterable[str]) -> None:
        """Wait until the named of Kafka and Postgres answer their clients."""
        checks = {"kafka": self.parts.kafka.ready, "postgres": self.parts.postgres.ready}
        for name in names:
            self._program(name, checks[name], SERVER_DEADLINE_S)

    def listeners(self) -> None:
        """Wait until Spark Connect and Airflow's API server take connections."""
        port = self.parts.settings.spark_connect_port
        self._program("spark-connect", lambda: listening(port), START_DEADLINE_S)
        self._program("airflow-api-server", lambda: "api-server" not in self._api.unhealthy(), START_DEADLINE_S)

    def settled(self, names: Iterable[str]) -> None:
        """Wait until each of the named programs has run as long as it takes to trust it, or has ended well."""
        for name in names:
            self._program(name, functools.partial(self._runs, name), START_DEADLINE_S)

    def airflow(self) -> None:
        """Wait until every part of Airflow reports itself healthy and the federation's DAGs have been parsed."""
        api = self._api
        log = self.supervisor.log("airflow-scheduler")
        try:
            wait_until(lambda: not api.unhealthy(), what="Airflow", deadline_s=START_DEADLINE_S, log=log)
        except StackError as late:
            raise StackError(f"unhealthy in Airflow: {', '.join(api.unhealthy())}; {late}") from None
        dag_ids = [dag_id(kind, self.parts.settings.federation) for kind in DAG_KINDS]
        log = self.supervisor.log("airflow-dag-processor")
        what = f"the DAGs {', '.join(dag_ids)}"
        try:
            wait_until(lambda: all(map(api.has_dag, dag_ids)), what=what, deadline_s=PARSE_DEADLINE_S, log=log)
        except StackError as late:
            # Only now: errors of an earlier life stay listed until the files are parsed again.
            listed = "; ".join(f"{file}: {error}" for file, error in api.import_errors().items())
            raise StackError(f"DAG files can't be imported: {listed}; {late}" if listed else str(late)) from None

    def _program(self, name: str, ready: Callable[[], bool], deadline_s: float) -> None:
        def alive_and_ready() -> bool:
            self.supervisor.require_alive(name)
            return ready()

        wait_until(alive_and_ready, what=name, deadline_s=deadline_s, log=self.supervisor.log(name))

    def _runs(self, name: str) -> bool:
        state = self.supervisor.state(name)
        return state.state == "RUNNING" or state.ended_well

    @functools.cached_property
    def _api(self) -> AirflowApi:
        return AirflowApi(self.parts.settings.airflow_url, AIRFLOW_USER, self.parts.airflow.password)
