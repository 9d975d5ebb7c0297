"""What a fog has in its folder, read from outside while it runs or after."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from fogline.federation import Federation
from fogline.messages.account import ReadingAccount
from fogline.stack.waiting import wait_until
from spark_jobs.fog.report import Stored
from spark_jobs.fog.state import FogState
from spark_jobs.fog.unused import UnusedRecords
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.made import span
from tests.spark_jobs.fog.process import DEADLINE_S, FogProcess


class FogData:
    """The folder of one fog."""

    def __init__(self, folder: Path, own: Federation) -> None:
        self.folder, self._own = folder, own

    @property
    def identity(self) -> Path:
        return self.folder / "checkpoint" / "fogline.json"

    def totals(self) -> dict[str, int]:
        if not (self.folder / "state.sqlite").is_file():
            return {}
        state = FogState(self.folder / "state.sqlite")
        try:
            return state.totals()
        finally:
            state.close()

    def account(self) -> ReadingAccount:
        unused = UnusedRecords(self.folder / "unused", self._own.lateness)
        return Stored(self._own, made.store(self._own, self.folder), unused).account()

    def await_received(self, n_records: int, fog: FogProcess) -> None:
        def are_there() -> bool:
            assert fog.is_alive(), fog.said()[-3000:]
            return self.totals().get("received", 0) >= n_records

        wait_until(are_there, what=f"{n_records} records", deadline_s=DEADLINE_S, log=fog.log)

    def require(self, **expected: int) -> None:
        """Check the totals, and that each received record became something."""
        totals = {name: n for name, n in self.totals().items() if n}
        assert totals == expected
        assert totals["received"] == sum(n for name, n in totals.items() if name not in ("received", "lost"))

    def require_stored(self, readings: pa.Table) -> None:
        stored = made.store(self._own, self.folder).read([span(0, 60)])
        assert rows_of(stored) == sorted(set(rows_of(readings)))


def rows_of(readings: pa.Table) -> list[tuple[Any, ...]]:
    """Return readings without their places, in order."""
    times = readings["event_time"].cast(pa.timestamp("us")).to_pylist()
    return sorted(zip(readings["sensor_id"].to_pylist(), times, *(readings[n].to_pylist() for n in "xy"), strict=True))
