"""The form of `evaluate_model` names a version as people write it."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from fogline.airflow.operators import evaluate
from fogline.versions import Version
from tests.support.federations import write_federation


class Announced(Exception):
    """Stops the task where it would announce."""


def version_asked(folder: Path, monkeypatch: pytest.MonkeyPatch, version: str | None) -> Version | None:
    def announce(services: Any, federation: Any, dag_run_id: str, asked: Version | None, *_: Any) -> None:
        raise Announced(asked)

    monkeypatch.setattr(evaluate, "open_services", lambda: None)
    monkeypatch.setattr(evaluate, "announce_evaluation", announce)
    task = evaluate.AnnounceEvaluation(task_id="announce", federation_file=str(write_federation(folder)))
    window = {"window_start": "2024-01-01T00:00:00Z", "window_end": "2024-01-02T00:00:00Z"}
    form = {"version": version, **window, "rows": "all", "deadline_s": 9}
    with pytest.raises(Announced) as announced:
        task.execute({"params": form, "dag_run": type("Run", (), {"run_id": "manual"})})
    return announced.value.args[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, None),
        ("", None),
        ("12", Version("main", 12)),
        ("main@12", Version("main", 12)),
        ("without_fog_3@20", Version("without_fog_3", 20)),
    ],
)
def test_a_version_is_of_any_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, meant: Version | None
) -> None:
    assert version_asked(tmp_path, monkeypatch, written) == meant


def test_what_is_no_version_fails_at_once_and_says_how_to_write_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AirflowFailException, match=r"'head' is no version; write branch@number, for example main@12"):
        version_asked(tmp_path, monkeypatch, "head")
