from pathlib import Path
from typing import Any

from fogline.rounds.closing import Closing, FogAnswer, closing
from fogline.rounds.judge import Verdict
from tests.support.federations import small_federation
from tests.support.plans import plan_state, train_plan


def close(folder: Path, answers: dict[str, tuple[Verdict, int]], log_time_ms: int, **policy: Any) -> Closing:
    federation = small_federation(folder, round={"deadline_s": 20, "grace_s": 2, **policy})
    given = {fog: FogAnswer(*answer) for fog, answer in answers.items()}
    return closing(plan_state(train_plan(federation)), given, log_time_ms)


def test_it_closes_when_all_answered(tmp_path: Path) -> None:
    both = {"fog-a": (Verdict.ACCEPTED, 1_001_000), "fog-b": (Verdict.ACCEPTED, 1_003_000)}
    assert close(tmp_path, both, 1_003_000) == Closing(1_003_000, "all fogs answered", True, True)


def test_a_decline_is_an_answer_but_no_quorum(tmp_path: Path) -> None:
    both = {"fog-a": (Verdict.ACCEPTED, 1_001_000), "fog-b": (Verdict.DECLINED, 1_003_000)}
    end = close(tmp_path, both, 1_003_000)
    assert (end.is_settled, end.has_quorum) == (True, False)
    assert close(tmp_path, both, 1_003_000, quorum=1).has_quorum


def test_quorum_and_grace_close_before_the_deadline(tmp_path: Path) -> None:
    one = {"fog-a": (Verdict.ACCEPTED, 1_001_000)}
    assert not close(tmp_path, one, 1_003_000, quorum=1).is_settled
    end = close(tmp_path, one, 1_003_001, quorum=1)
    assert (end.at_ms, end.is_settled, end.has_quorum) == (1_003_000, True, True)


def test_the_deadline_closes_by_the_brokers_clock(tmp_path: Path) -> None:
    one = {"fog-a": (Verdict.ACCEPTED, 1_001_000)}
    assert not close(tmp_path, one, 1_020_000).is_settled
    end = close(tmp_path, one, 1_020_001)
    assert (end.at_ms, end.is_settled, end.has_quorum, end.because) == (1_020_000, True, False, "the deadline of 20 s")


def test_grace_never_outlasts_the_deadline(tmp_path: Path) -> None:
    one = {"fog-a": (Verdict.ACCEPTED, 1_019_500)}
    assert close(tmp_path, one, 1_020_001, quorum=1).at_ms == 1_020_000


def test_grace_counts_from_the_answer_that_made_the_quorum(tmp_path: Path) -> None:
    fogs = {fog: {"sensors": [f"s-{fog}"]} for fog in ("fog-a", "fog-b", "fog-c")}
    federation = small_federation(tmp_path, fogs=fogs, round={"deadline_s": 20, "grace_s": 2, "quorum": 2})
    answers = {"fog-a": FogAnswer(Verdict.ACCEPTED, 1_001_000), "fog-b": FogAnswer(Verdict.ACCEPTED, 1_005_000)}
    assert closing(plan_state(train_plan(federation)), answers, 1_005_000).at_ms == 1_007_000
