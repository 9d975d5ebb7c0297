"""What must hold after the demo's rounds ran in the containers."""

import json
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from fogline.dag_ids import RECORD_HISTORY, dag_id
from fogline.stack.airflow_runs import ENDED, AirflowRuns
from fogline.stack.errors import StackError
from fogline.stack.waiting import wait_until

if TYPE_CHECKING:
    from tests.compose.prove import Proof

WORKERS = ("spark-worker-1", "spark-worker-2")
CHAIN = """
import json, os
from fogline.ledger.database import Ledger
from fogline.ledger.history import committed_rounds
with Ledger(os.environ["FOGLINE_LEDGER_URL"]).transaction() as session:
    rounds = committed_rounds(session, "wind_farm", "main")
print(json.dumps([[one.version, one.interval_index, list(one.answered), one.digest] for one in rounds]))
"""
HELD = """
import json
from fogline.history.address import from_uri
from fogline.history.stores import open_history
with open_history(from_uri("cassandra://cassandra:9042/fogline")) as history:
    print(json.dumps([f"main@{version}" for version in history.held("wind_farm", "main")]))
"""
HISTORY = dag_id(RECORD_HISTORY, "wind_farm")
HISTORY_DEADLINE_S = 180
MIB = 1024 * 1024
console = Console(width=130)


def check(proof: "Proof") -> None:
    """Check chain, place of the aggregation, health and targets.

    Raises
    ------
    StackError
        Something does not hold.
    """
    _check_chain(proof)
    _check_cluster(proof)
    unhealthy = proof.unhealthy()
    _require(not unhealthy, f"unhealthy: {', '.join(unhealthy)}")
    if "prometheus" in proof.containers():
        _check_targets(proof)
    if "cassandra" in proof.containers():
        _check_history(proof)


def _check_chain(proof: "Proof") -> None:
    chain = _json_of(proof, "airflow-scheduler", CHAIN)
    for version, interval, answered, digest in chain:
        console.print(f"main@{version} interval {interval} {digest[:12]} from {', '.join(answered)}")
    _require([row[1] for row in chain] == list(range(proof.n_rounds)), f"{proof.n_rounds} rounds on the chain")
    fogs = ["fog-1", "fog-2", "fog-3", "fog-4"]
    _require(all(sorted(row[2]) == fogs for row in chain), "an update of each fog in each round")


def _check_cluster(proof: "Proof") -> None:
    applications = httpx.get(f"http://127.0.0.1:{proof.ports['SPARK']}/json/").json()["completedapps"]
    ours = {one["id"]: one for one in applications if one["name"].startswith("fogline aggregate wind_farm/main/")}
    for one in ours.values():
        console.print(
            f"Spark master: {one['name']} {one['state']} on {one['cores']} cores in {one['duration'] / 1000:.1f} s"
        )
    finished = [one for one in ours.values() if one["state"] == "FINISHED"]
    _require(len(finished) == proof.n_rounds, f"{proof.n_rounds} finished aggregations on the cluster")
    for worker in WORKERS:
        ask = "import urllib.request; print(urllib.request.urlopen('http://localhost:8081/json/').read().decode())"
        seen = _json_of(proof, worker, ask)
        served = {one["appid"] for one in seen["executors"] + seen["finishedexecutors"]} & set(ours)
        console.print(f"{worker}: executors of {len(served)} aggregations")
        _require(len(served) == proof.n_rounds, f"executors of every aggregation on {worker}")


def _check_targets(proof: "Proof") -> None:
    url = f"http://127.0.0.1:{proof.ports['PROMETHEUS']}/api/v1/targets"
    targets = httpx.get(url).json()["data"]["activeTargets"]
    for target in targets:
        console.print(f"target {target['scrapeUrl']}: {target['health']} {target['lastError']}")
    # The producer's ends with its replay.
    down = [one["scrapeUrl"] for one in targets if one["health"] != "up" and "//producer:" not in one["scrapeUrl"]]
    _require(bool(targets) and not down, f"all targets up (down: {', '.join(down)})")


def _check_history(proof: "Proof") -> None:
    runs = AirflowRuns(proof.airflow())
    runs.unpause(HISTORY)
    run_id = runs.trigger(HISTORY)
    wait_until(lambda: runs.state(HISTORY, run_id) in ENDED, what=run_id, deadline_s=HISTORY_DEADLINE_S, every_s=1)
    runs.require_success(HISTORY, run_id)
    held = _json_of(proof, "airflow-scheduler", HELD)
    console.print(f"Cassandra: {', '.join(held)}")
    _require(held == [f"main@{version}" for version in range(proof.n_rounds + 1)], "every version in Cassandra")


def show_memory(proof: "Proof") -> None:
    """Tell how much memory the processes of each container hold, and its limit."""
    table = Table("service", "MiB", "limit MiB", "healthy", "user")
    total = 0.0
    for name, found in sorted(proof.containers().items()):
        pid, limit = found["State"].get("Pid", 0), found["HostConfig"].get("Memory", 0)
        used = _pss_mib(pid) if pid else 0.0
        total += used
        health = (found["State"].get("Health") or {}).get("Status", "")
        table.add_row(name, f"{used:.0f}", f"{limit / MIB:.0f}", health, found["Config"]["User"])
    table.add_row("all", f"{total:.0f}", "", "", "")
    console.print(table)


def _pss_mib(pid: int) -> float:
    try:
        root = psutil.Process(pid)
        return sum(one.memory_full_info().pss for one in [root, *root.children(recursive=True)]) / MIB
    except psutil.NoSuchProcess:
        return 0.0


def _json_of(proof: "Proof", service: str, program: str) -> Any:
    return json.loads(proof.run_in(service, program))


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise StackError(f"expected: {what}")
