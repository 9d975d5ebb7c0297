"""The exporter over a real ledger on Postgres: its numbers, its limits, and what it does without a database."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fogline.federation import Federation
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.ledger.rounds import round_of_run
from fogline.ledger.schema import Base
from fogline.messages.cause import Cause
from fogline.metrics import collector
from fogline.metrics.collector import LedgerCollector
from fogline.rounds.judge import Verdict
from tests.support.databases import new_database
from tests.support.federations import small_federation
from tests.support.past import BEGIN, HOUR, SCALER_SD, Past

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def database(postgres: str) -> str:
    url = new_database(postgres)
    upgrade(url)
    return url


@pytest.fixture
def url(database: str) -> str:
    ledger = Ledger(database)
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with ledger.transaction() as session:
        session.execute(sqlalchemy.text(f"TRUNCATE {tables} RESTART IDENTITY"))
    ledger.engine.dispose()
    return database


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return small_federation(tmp_path)


@pytest.fixture
def past(url: str, federation: Federation) -> Iterator[Past]:
    ledger = Ledger(url)
    yield Past(ledger, federation)
    ledger.engine.dispose()


def scrape(url: str) -> Series:
    registry = CollectorRegistry()
    registry.register(LedgerCollector(url))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(series: Series, name: str, **labels: str) -> float:
    """Return the sample of the small federation's main that has these labels."""
    return series[name, frozenset({"federation": "small", "branch": "main", **labels}.items())]


def test_rounds_are_counted_by_their_present_outcome_and_the_bad_ones_in_a_row(url: str, past: Past) -> None:
    for outcome in ("committed", "refused", "committed", "failed", "skipped"):
        past.round(outcome)
    past.round(None)
    series = scrape(url)
    counted = {outcome: value(series, "fogline_rounds", outcome=outcome) for outcome in ("committed", "failed")}
    assert counted == {"committed": 2, "failed": 1}
    assert value(series, "fogline_rounds", outcome="differs") == 0
    assert value(series, "fogline_rounds_without_model_in_a_row") == 2
    assert value(series, "fogline_open_round") == 1
    opened = BEGIN + 5 * HOUR
    assert value(series, "fogline_open_round_opened_timestamp_seconds") == opened.timestamp()
    assert value(series, "fogline_open_round_closes_by_timestamp_seconds") == (opened + HOUR).timestamp()
    assert value(series, "fogline_last_round_duration_seconds") == 600


def test_a_cleared_round_changes_its_outcome(url: str, past: Past) -> None:
    past.round("failed")
    with past.ledger.transaction() as session:
        row = round_of_run(session, "small", "main", "run-0")
        assert row is not None
        row.outcome = "committed"
    series = scrape(url)
    assert [value(series, "fogline_rounds", outcome=one) for one in ("failed", "committed")] == [0, 1]
    assert value(series, "fogline_rounds_without_model_in_a_row") == 0


def test_the_head_and_its_moves(url: str, past: Past) -> None:
    for _ in range(3):
        past.round()
    past.round("refused")
    series = scrape(url)
    assert value(series, "fogline_head_version") == 3
    assert value(series, "fogline_head_examples") == 40
    assert value(series, "fogline_head_moves_total", reason="committed") == 4
    assert value(series, "fogline_last_commit_timestamp_seconds") == (BEGIN + 2 * HOUR + HOUR / 6).timestamp()
    assert value(series, "fogline_interval_seconds") == 86400


def test_answers_by_fog_and_verdict_and_the_last_rounds_numbers(url: str, past: Past) -> None:
    past.round()
    past.round(verdicts={"fog-b": Verdict.DECLINED})
    past.round(verdicts={"fog-b": None})
    series = scrape(url)
    fogs = {fog: value(series, "fogline_answers", fog=fog, verdict="accepted") for fog in ("fog-a", "fog-b")}
    assert fogs == {"fog-a": 3, "fog-b": 1}
    assert value(series, "fogline_answers", fog="fog-b", verdict="declined") == 1
    assert value(series, "fogline_answers", fog="fog-a", verdict="late") == 0
    assert value(series, "fogline_last_round_verdict", fog="fog-a", verdict="accepted") == 1
    assert value(series, "fogline_last_round_verdict", fog="fog-b", verdict="no_answer") == 1
    missed = {fog: value(series, "fogline_rounds_without_update_in_a_row", fog=fog) for fog in ("fog-a", "fog-b")}
    assert missed == {"fog-a": 0, "fog-b": 2}
    assert value(series, "fogline_last_round_update_norm_l2", fog="fog-a") == 1
    assert value(series, "fogline_last_round_examples", fog="fog-a") == 10
    assert value(series, "fogline_last_round_answer_seconds", fog="fog-a") == 1
    assert value(series, "fogline_last_round_link_bytes", fog="fog-a", direction="to_cloud") > 8
    assert value(series, "fogline_last_round_link_bytes", fog="fog-b", direction="to_fog") == 16


def test_an_open_round_does_not_hide_the_one_before(url: str, past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    past.round(verdicts={"fog-a": Verdict.DECLINED})
    soon = past.now().timestamp() + 1
    past.round(None, verdicts={"fog-a": None, "fog-b": None})
    monkeypatch.setattr(collector.time, "time", lambda: soon)
    series = scrape(url)
    assert value(series, "fogline_last_round_verdict", fog="fog-a", verdict="declined") == 1


def test_scores_of_base_and_candidate_together_and_by_fog(url: str, past: Past) -> None:
    past.round()
    series = scrape(url)
    assert value(series, "fogline_evaluation_rmse", model="candidate") == pytest.approx(2.5**0.5)
    assert value(series, "fogline_evaluation_loss", model="base") == pytest.approx(2.5 / SCALER_SD**2 / 2)
    by_fog = {fog: value(series, "fogline_evaluation_fog_rmse", fog=fog, model="base") for fog in ("fog-a", "fog-b")}
    assert by_fog == {"fog-a": 1, "fog-b": 2}
    assert value(series, "fogline_evaluation_fog_rows", fog="fog-a") == 1


def test_names_that_strangers_choose_are_no_labels_and_many_rounds_make_no_more_series(url: str, past: Past) -> None:
    plan_id = past.round(verdicts={"fog-b": Verdict.LATE})
    past.stranger(plan_id, "intruder-0", Cause.UNKNOWN_FOG)
    past.stranger("small/nowhere/9", "intruder-1", Cause.UNKNOWN_PLAN)
    before = scrape(url)
    assert value(before, "fogline_answers", fog="unknown", verdict="rejected") == 1
    assert value(before, "fogline_answers", branch="unknown", fog="unknown", verdict="rejected") == 1
    for number in range(30):
        plan_id = past.round(verdicts={"fog-b": Verdict.LATE})
        past.stranger(plan_id, f"intruder-{number}", Cause.FOREIGN_KEY)
        past.stranger(f"small/elsewhere-{number}/9", f"fog-{number}", Cause.UNKNOWN_PLAN)
    assert scrape(url).keys() == before.keys()


def test_a_ledger_without_rounds_is_up_and_says_nothing_more(url: str) -> None:
    assert {name for name, _ in scrape(url)} == {"fogline_ledger_up", "fogline_ledger_read_seconds"}


@pytest.mark.parametrize("fault", ["nobody listens", "no tables", "slow"])
def test_a_ledger_that_is_down_is_a_number_and_one_line(
    fault: str, url: str, past: Past, postgres: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.round()
    target = sqlalchemy.make_url(url)
    if fault == "nobody listens":
        target = target.set(port=1)
    if fault == "no tables":
        target = sqlalchemy.make_url(new_database(postgres))
    registry = CollectorRegistry()
    registry.register(LedgerCollector(target.render_as_string(hide_password=False)))
    locker = Ledger(url)
    with locker.engine.connect() as connection, caplog.at_level(logging.INFO):
        if fault == "slow":
            monkeypatch.setattr(collector, "STATEMENT_TIMEOUT_MS", 100)
            connection.execute(sqlalchemy.text("LOCK TABLE rounds"))
        for _ in range(2):
            assert registry.get_sample_value("fogline_ledger_up") == 0
        assert registry.get_sample_value("fogline_head_version") is None
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 1 and said[0].startswith("no numbers of the ledger: ")
        assert target.password is not None and target.password not in said[0]
        if fault == "slow":
            connection.rollback()
            assert registry.get_sample_value("fogline_ledger_up") == 1
            assert caplog.records[-1].getMessage() == "the ledger answers again"
    locker.engine.dispose()


def test_the_exporter_can_write_nothing(url: str) -> None:
    ledger = Ledger(url)
    with pytest.raises(sqlalchemy.exc.InternalError, match="read-only"), ledger.transaction() as session:
        collector.limit(session)
        session.execute(sqlalchemy.text("DELETE FROM rounds"))
    ledger.engine.dispose()
