"""A round that finds its branch held waits in place for a while, and then leaves the worker to others."""

from typing import Any

import pytest

from fogline.airflow.operators import announce_round as module
from fogline.airflow.operators.announce_round import AnnounceRound
from fogline.rounds.errors import RoundBusy, RoundRefused


class Branch:
    """Stands for the step: busy some times, then announced or refused."""

    def __init__(self, n_busy: int, end: Any = "opened") -> None:
        self.n_calls, self._n_busy, self._end = 0, n_busy, end

    def announce(self, *_: Any) -> Any:
        self.n_calls += 1
        if self.n_calls <= self._n_busy:
            raise RoundBusy("main is held by run a")
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> AnnounceRound:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    return AnnounceRound(task_id="announce_round", federation_file="/orchard.yaml")


def test_a_branch_that_becomes_free_is_taken_at_once(task: AnnounceRound) -> None:
    branch = Branch(n_busy=3)
    assert task._patiently(branch.announce) == "opened"
    assert branch.n_calls == 4


def test_one_that_stays_held_is_a_failed_try(task: AnnounceRound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.05)
    with pytest.raises(RoundBusy, match="held by run a"):
        task._patiently(Branch(n_busy=10**9).announce)


def test_a_refusal_is_not_waited_for(task: AnnounceRound) -> None:
    branch = Branch(n_busy=0, end=RoundRefused("needs interval 3"))
    with pytest.raises(RoundRefused):
        task._patiently(branch.announce)
    assert branch.n_calls == 1
