"""What the ledger promises, on SQLite and on Postgres alike."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.exc import IntegrityError

from fogline.federation import Federation
from fogline.ledger import answers, models, plans, rounds
from fogline.ledger.database import Ledger, LedgerError, LedgerUnreachable
from fogline.ledger.migrate import upgrade
from fogline.ledger.plans import PlanKey
from fogline.rounds.errors import RoundBusy
from fogline.rounds.intervals import interval_at
from fogline.rounds.judge import Judgement, Verdict
from fogline.versions import Version
from tests.support.databases import new_database
from tests.support.federations import small_federation
from tests.support.plans import train_plan, update

NOW = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=10)
KEY = PlanKey("small", "main", "round/main/train")


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/ledger.db"
    else:
        url = new_database(request.getfixturevalue("postgres"))
    upgrade(url)
    opened = Ledger(url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return small_federation(tmp_path)


def open_round(ledger: Ledger, federation: Federation, run: str, index: int = 0) -> int:
    with ledger.transaction() as session:
        return rounds.open_round(session, "small", "main", run, interval_at(federation, index), 0, NOW, LATER).id


def new_model(plan_id: str, base_id: int | None = None, index: int | None = None) -> models.NewModel:
    return models.NewModel(base_id, f"digest-{index}", "path", plan_id, "run", index, 10)


def announced(ledger: Ledger, federation: Federation, run: str = "run") -> str:
    with ledger.transaction() as session:
        plan_id = plans.reserve_plan(session, KEY, run, None).plan_id
        assert plan_id is not None
        plan = train_plan(federation, plan_id=plan_id)
        plans.record_body(session, plan)
        plans.record_announcement(session, plan, 1_000_000)
    return plan_id


def test_one_round_a_branch_is_open(ledger: Ledger, federation: Federation) -> None:
    open_round(ledger, federation, "first")
    with pytest.raises(IntegrityError):
        open_round(ledger, federation, "second")


def test_another_run_waits_until_the_open_round_failed_or_ran_out(ledger: Ledger, federation: Federation) -> None:
    open_round(ledger, federation, "first")
    with ledger.transaction() as session, pytest.raises(RoundBusy, match="held by run first"):
        rounds.free_branch(session, "small", "main", "second", NOW, lambda run: False)
    with ledger.transaction() as session:
        ended = rounds.free_branch(session, "small", "main", "second", NOW, lambda run: run == "first")
        assert ended is not None and ended.outcome == "skipped"
    with ledger.transaction() as session:
        assert rounds.intervals_ended_after(session, "small", "main", -1) == {0}


def test_a_round_past_its_time_is_ended_whatever_its_run_says(ledger: Ledger, federation: Federation) -> None:
    open_round(ledger, federation, "first")
    with ledger.transaction() as session:
        over = LATER + dt.timedelta(seconds=1)
        assert rounds.free_branch(session, "small", "main", "second", over, lambda run: False) is not None
    open_round(ledger, federation, "second")


def test_a_run_opens_its_own_round_again(ledger: Ledger, federation: Federation) -> None:
    first = open_round(ledger, federation, "first")
    with ledger.transaction() as session:
        row = rounds.round_of_run(session, "small", "main", "first")
        assert row is not None and row.interval_start == interval_at(federation, 0).start
        rounds.end_round(row, "committed", NOW)
    assert open_round(ledger, federation, "first") == first


def test_a_newer_plan_supersedes_the_older_of_its_purpose_only(ledger: Ledger, federation: Federation) -> None:
    first = announced(ledger, federation)
    with ledger.transaction() as session:
        plans.reserve_plan(session, PlanKey("small", "main", "evaluation/x"), "run", None)
    with ledger.transaction() as session:
        state = plans.plan_state(session, first)
        assert state is not None and state.superseded_by is None
    second = announced(ledger, federation)
    with ledger.transaction() as session:
        state = plans.plan_state(session, first)
        assert state is not None and f"small/main/{state.superseded_by}" == second
        newest = plans.newest_plan(session, KEY, "run")
        assert newest is not None and newest.plan.plan_id == second


def test_a_plan_that_was_not_sent_does_not_exist(ledger: Ledger) -> None:
    with ledger.transaction() as session:
        plan_id = plans.reserve_plan(session, KEY, "run", None).plan_id
    with ledger.transaction() as session:
        assert plan_id is not None and plans.plan_state(session, plan_id) is None
        assert plans.newest_plan(session, KEY, "run") is None


def test_one_verdict_a_record_and_the_first_answer_counts(ledger: Ledger, federation: Federation) -> None:
    plan = train_plan(federation)

    def record(offset: int, fog: str, verdict: Verdict) -> answers.JudgedRecord:
        body = update(plan, fog).to_bytes().decode()
        return answers.JudgedRecord(0, offset, 1_000_000 + offset, plan.plan_id, fog, Judgement(verdict), body)

    with ledger.transaction() as session:
        for offset, verdict in enumerate([Verdict.LATE, Verdict.ACCEPTED, Verdict.DUPLICATE]):
            answers.record_verdicts(session, "small", "model-updates", [record(offset, "fog-a", verdict)])
    with ledger.transaction() as session, pytest.raises(IntegrityError):
        answers.record_verdicts(session, "small", "model-updates", [record(1, "fog-a", Verdict.ACCEPTED)])
    with ledger.transaction() as session:
        first = answers.first_answers(session, plan.plan_id)
        assert {fog: answer.verdict for fog, answer in first.items()} == {"fog-a": Verdict.ACCEPTED}
        assert list(answers.accepted_answers(session, plan.plan_id)) == ["fog-a"]


def test_of_two_answers_that_settle_a_fog_the_first_in_the_topic_counts(ledger: Ledger) -> None:
    with ledger.transaction() as session:
        for offset, verdict in ((7, Verdict.REJECTED), (9, Verdict.ACCEPTED)):
            row = answers.JudgedRecord(0, offset, 1_000_000, "small/main/1", "fog-a", Judgement(verdict), None)
            answers.record_verdicts(session, "small", "model-updates", [row])
    with ledger.transaction() as session:
        assert answers.first_answers(session, "small/main/1")["fog-a"].verdict is Verdict.REJECTED


def test_the_cursor_never_goes_back(ledger: Ledger) -> None:
    for cursor in ({0: 5, 1: 2}, {0: 3, 1: 4}):
        with ledger.transaction() as session:
            answers.advance_cursor(session, "small", "model-updates", cursor)
    with ledger.transaction() as session:
        assert answers.read_cursor(session, "small", "model-updates", for_update=True) == {0: 5, 1: 4}


def test_versions_form_a_chain_from_zero_to_the_head(ledger: Ledger, federation: Federation) -> None:
    base = None
    for head_no, index in enumerate([None, 0, 1]):
        plan_id = announced(ledger, federation)
        with ledger.transaction() as session:
            row = models.commit_version(session, "small", "main", new_model(plan_id, base, index), head_no, NOW)
            base = row.id
    with ledger.transaction() as session:
        chain = models.chain_of(session, "small", "main")
        assert [(row.version, row.interval_index) for row in chain] == [(0, None), (1, 0), (2, 1)]
        found = models.model_of_interval(session, "small", "main", 1)
        assert found is not None and found.version == 2
        assert models.model_of_interval(session, "small", "main", 7) is None
        links = models.links_of(session, "small", "main")
        assert [(str(link.version), link.interval_index, link.trained_on) for link in links] == [
            ("main@0", None, "main"),
            ("main@1", 0, "main"),
            ("main@2", 1, "main"),
        ]
        with pytest.raises(LedgerError, match="main@7 does not exist; the newest version is main@2"):
            models.version_of(session, "small", Version("main", 7))


def test_a_commit_is_fenced_by_head_number_and_plan(ledger: Ledger, federation: Federation) -> None:
    old = announced(ledger, federation)
    with ledger.transaction() as session:
        models.commit_version(session, "small", "main", new_model(old), 0, NOW)
    with ledger.transaction() as session, pytest.raises(LedgerError, match="has moved 1 times"):
        models.commit_version(session, "small", "main", new_model(old, None, 0), 0, NOW)
    announced(ledger, federation)
    with ledger.transaction() as session, pytest.raises(LedgerError, match="was superseded"):
        models.commit_version(session, "small", "main", new_model(old, None, 0), 1, NOW)
    with ledger.transaction() as session:
        assert len(models.chain_of(session, "small", "main")) == 1


def test_a_ledger_that_is_away_is_said_without_its_password() -> None:
    away = Ledger("postgresql+psycopg2://someone:secret@127.0.0.1:1/ledger")
    with pytest.raises(LedgerUnreachable, match="does not answer") as raised, away.transaction() as session:
        session.execute(sqlalchemy.text("SELECT 1"))
    assert "secret" not in str(raised.value)
