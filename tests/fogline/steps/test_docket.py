"""Judging a batch: what it costs, and plans that another run is about to note."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from fogline.federation import Federation
from fogline.kafka.read import Received
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.ledger.plans import PlanKey, record_announcement, record_body, reserve_plan
from fogline.ledger.schema import PlanRow
from fogline.messages.answer import Answer
from fogline.messages.plan import Plan
from fogline.rounds.judge import Verdict
from fogline.steps.docket import Docket
from tests.support.federations import small_federation
from tests.support.plans import train_plan
from tests.support.plans import update as update_of


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    url = f"sqlite:///{tmp_path}/ledger.db"
    upgrade(url)
    return Ledger(url)


def federation_of(folder: Path, n_fogs: int) -> Federation:
    fogs = {f"fog-{number}": {"sensors": [f"s{number}"]} for number in range(n_fogs)}
    return small_federation(folder, fogs=fogs)


def announce(ledger: Ledger, federation: Federation, append_time_ms: int = 1_000_000) -> Plan:
    key = PlanKey(federation.federation, "main", "round/main/train")
    with ledger.transaction() as session:
        plan = train_plan(federation, plan_id=reserve_plan(session, key, "run", None).plan_id)
        record_body(session, plan)
        record_announcement(session, plan, append_time_ms)
    return plan


def record(answer: Answer, offset: int) -> Received:
    return Received("model-updates", 0, offset, answer.fog, answer.to_bytes(), 1_000_001 + offset)


@contextmanager
def counted(ledger: Ledger) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", note)
    yield statements
    event.remove(ledger.engine, "before_cursor_execute", note)


def test_a_batch_of_many_fogs_reads_the_ledger_no_more_often_than_one_of_few(ledger: Ledger, tmp_path: Path) -> None:
    n_statements = []
    for n_fogs in (2, 60):
        plan = announce(ledger, federation_of(tmp_path, n_fogs))
        answers = [record(update_of(plan, fog), offset) for offset, fog in enumerate(plan.members)]
        with ledger.transaction() as session, counted(ledger) as statements:
            docket = Docket(session, plan.federation)
            judged = [docket.judge(one) for one in answers]
        assert all(one is not None and one.judgement.verdict is Verdict.ACCEPTED for one in judged)
        n_statements.append(len(statements))
    assert n_statements[0] == n_statements[1]


def test_a_batch_keeps_old_plans_new_plans_and_repeats_apart(ledger: Ledger, tmp_path: Path) -> None:
    federation = federation_of(tmp_path, 2)
    old, new = announce(ledger, federation), announce(ledger, federation)
    sent = [
        update_of(new, "fog-0"),
        update_of(old, "fog-1"),
        update_of(new, "fog-0"),
        update_of(new, "fog-1", n_examples=0),
        update_of(new, "fog-1"),
    ]
    with ledger.transaction() as session:
        docket = Docket(session, federation.federation)
        judged = [docket.judge(record(answer, offset)) for offset, answer in enumerate(sent)]
    assert [one and one.judgement.verdict.value for one in judged] == [
        "accepted",
        "stale",
        "duplicate",
        "rejected",
        "duplicate",
    ]


def test_an_answer_to_a_plan_that_is_sent_but_not_yet_noted_is_no_answer_to_an_unknown_one(
    ledger: Ledger, tmp_path: Path
) -> None:
    plan = announce(ledger, federation_of(tmp_path, 2))
    with ledger.transaction() as session:
        session.execute(update(PlanRow).values(append_time_ms=None))
    with ledger.transaction() as session:
        judged = Docket(session, plan.federation).judge(record(update_of(plan, "fog-0"), 0))
    assert judged is not None and judged.judgement.verdict is Verdict.ACCEPTED
