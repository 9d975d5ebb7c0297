"""Keep the models' history in a store of its own."""

from typing import Any

from fogline.airflow.connections import history_address, ledger_url
from fogline.airflow.failures import airflow_failures
from fogline.airflow.operators.task import FederationOperator
from fogline.artifacts import ArtifactStore
from fogline.history.catch_up import catch_up
from fogline.history.entry import HistoryEntry
from fogline.history.ledger import LedgerHistory
from fogline.history.stores import open_history
from fogline.ledger.database import Ledger


class CatchUpHistory(FederationOperator):
    """Write into the history what the ledger has and it lacks, oldest first.

    The first time that is everything. When the store is down, this task is tried again and fails in the end; the next
    model's run, or one by hand, writes what is missing. Rounds don't wait for it.
    """

    ui_color = "#d9d2e9"

    def execute(self, context: Any) -> dict[str, int]:
        """Catch up; the XCom says how much was written."""
        with airflow_failures():
            federation = self.federation.federation
            address, ledger = history_address(), Ledger(ledger_url())
            with LedgerHistory(ledger, ArtifactStore.from_environment()) as source, open_history(address) as history:
                written = catch_up(history, source, federation, self._tell)
            self.log.info(
                "%s: %d versions and %d head moves written", history.title, written.n_versions, written.n_moves
            )
        return {"versions": written.n_versions, "head_moves": written.n_moves}

    def _tell(self, entry: HistoryEntry) -> None:
        self.log.info("Written: %s (%s)", entry.name, entry.digest[:12])
