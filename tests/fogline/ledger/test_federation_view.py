"""What the ledger tells of a federation: branches, errors, matrix and bytes per link, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, event, select, update

from fogline.ledger import models
from fogline.ledger.database import Ledger
from fogline.ledger.federation_view import FederationView, branches_by_federation, federation_view
from fogline.ledger.matrix import N_ROUNDS_A_PAGE, round_matrix
from fogline.ledger.migrate import upgrade
from fogline.ledger.schema import AnswerRow, PlanRow
from fogline.ledger.traffic import link_traffic
from fogline.rounds.intervals import interval_at
from fogline.versions import Version
from tests.support.databases import new_database
from tests.support.federations import small_federation
from tests.support.ledgers import DECLINED, NOW, REJECTED, Chronicle

FOGS = ("fog-a", "fog-b")
# One weight and one bias.
MODEL_N_BYTES = 8


@pytest.fixture(params=["sqlite", "postgres"])
def chronicle(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chronicle]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/ledger.db"
    else:
        url = new_database(request.getfixturevalue("postgres"))
    upgrade(url)
    chronicle = Chronicle(Ledger(url), small_federation(tmp_path))
    chronicle.begin()
    yield chronicle
    chronicle.ledger.engine.dispose()


def view_of(chronicle: Chronicle, *branches: str) -> FederationView:
    with chronicle.ledger.transaction() as session:
        return federation_view(session, "small", branches or ("main",))


def test_a_branch_tells_its_head_its_beginning_its_models_and_its_last_moves(chronicle: Chronicle) -> None:
    first = chronicle.round(0, error=3.0)
    assert first is not None
    chronicle.round(1, error=2.0)
    chronicle.branch("other", first)
    chronicle.round(1, "other", error=1.5)
    main, other = view_of(chronicle, "main", "other").branches
    assert (main.name, main.head, main.head_no, main.n_models, main.began_at) == ("main", "main@2", 3, 3, None)
    assert (other.head, other.n_models, other.n_on_chain, other.began_at) == ("other@1", 2, 3, "main@1")
    assert [(move.head_no, move.reason, move.moved_by) for move in other.moves] == [
        (2, "committed", "other-1"),
        (1, "branched", "other-0"),
    ]


def test_errors_are_those_of_each_branch_s_own_ancestry(chronicle: Chronicle) -> None:
    first = chronicle.round(0, error=3.0)
    assert first is not None
    chronicle.branch("other", first)
    chronicle.round(1, error=2.0)
    chronicle.round(1, "other", error=1.5)
    view = view_of(chronicle, "main", "other")
    shown = [(index, [one and (str(one.version), one.error) for one in scored]) for index, scored in view.by_interval]
    assert shown == [(1, [("main@2", 2.0), ("other@1", 1.5)]), (0, [("main@1", 3.0), ("other@0", 3.0)])]
    lines = {name: [error for _, error in points] for name, points in view.error_lines().items()}
    assert lines == {"main": [3.0, 2.0], "other": [3.0, 1.5]}
    assert view.error_name == "RMSE" and view.start_of(1) == interval_at(chronicle.federation, 1).start


def test_what_is_off_the_chain_after_a_rollback_is_not_in_the_errors(chronicle: Chronicle) -> None:
    chronicle.round(0, error=3.0)
    chronicle.round(1, error=2.0)
    with chronicle.ledger.transaction() as session:
        row = models.version_of(session, "small", Version("main", 1))
        models.move_head(session, row, 4, "rolled back", "a person", NOW)
    (main,) = view_of(chronicle).branches
    assert [str(one.version) for one in main.metric] == ["main@1"]
    assert (main.head, main.n_models, main.n_on_chain) == ("main@1", 3, 2)
    assert (main.moves[0].reason, main.moves[0].moved_by) == ("rolled back", "a person")


def test_only_the_branches_that_were_asked_for_are_told(chronicle: Chronicle) -> None:
    first = chronicle.round(0)
    assert first is not None
    chronicle.branch("other", first)
    chronicle.round(1, "other")
    assert [branch.name for branch in view_of(chronicle, "other").branches] == ["other"]
    with chronicle.ledger.transaction() as session:
        assert branches_by_federation(session) == {"small": ["main", "other"]}
        assert link_traffic(session, "small", ["nothing"], FOGS, chronicle.federation.specification()) == []


def test_the_matrix_tells_each_fog_s_verdict_and_every_reason(chronicle: Chronicle) -> None:
    chronicle.round(0)
    chronicle.round(1, judgements={"fog-a": DECLINED, "fog-b": REJECTED})
    with chronicle.ledger.transaction() as session:
        matrix = round_matrix(session, "small", "main", (*FOGS, "fog-z"))
    newest, oldest = matrix.rows
    assert (newest.round.outcome, newest.version, oldest.round.outcome, oldest.version) == (
        "failed",
        None,
        "committed",
        "main@1",
    )
    assert matrix.fogs == (*FOGS, "fog-z")
    assert [cell.verdict for cell in oldest.cells] == ["accepted", "accepted", "left out"]
    assert [cell.verdict for cell in newest.cells] == ["declined", "rejected", "left out"]
    assert [[str(one) for one in cell.remarks] for cell in newest.cells] == [
        ["weights: declined: no reading in the window"],
        ["weights: rejected: not_finite: block 0 holds NaN"],
        [],
    ]


def test_a_fog_that_answers_too_late_or_never_is_told_apart_from_one_that_settled(chronicle: Chronicle) -> None:
    chronicle.round(0)
    with chronicle.ledger.transaction() as session:
        training = select(PlanRow.plan_id).where(PlanRow.purpose == "round/main/train")
        session.execute(
            update(AnswerRow)
            .where(AnswerRow.fog == "fog-a", AnswerRow.plan_id.in_(training))
            .values(verdict="late", reason="2 s after the deadline")
        )
        session.execute(delete(AnswerRow).where(AnswerRow.fog == "fog-b"))
    with chronicle.ledger.transaction() as session:
        (told,) = round_matrix(session, "small", "main", FOGS).rows
    assert [cell.verdict for cell in told.cells] == ["late", "no answer"]
    assert [str(one) for one in told.cells[0].remarks] == ["weights: late: 2 s after the deadline"]


def test_the_matrix_comes_in_pages_and_a_page_too_many_is_the_last(chronicle: Chronicle) -> None:
    for index in range(N_ROUNDS_A_PAGE + 2):
        chronicle.round(index)
    with chronicle.ledger.transaction() as session:
        first, second, third = (round_matrix(session, "small", "main", FOGS, page) for page in (1, 2, 3))
    assert [row.round.interval_index for row in second.rows] == [1, 0] and third == second
    assert (len(first.rows), first.n_pages, first.n_rounds) == (N_ROUNDS_A_PAGE, 2, N_ROUNDS_A_PAGE + 2)


def test_bytes_are_those_of_records_and_of_the_models_they_carry_or_name(chronicle: Chronicle) -> None:
    chronicle.round(0)
    chronicle.round(1, judgements={"fog-a": DECLINED})
    with chronicle.ledger.transaction() as session:
        fog_a, fog_b = link_traffic(session, "small", ["main"], FOGS, chronicle.federation.specification())
        bodies = dict.fromkeys(FOGS, 0)
        for row in session.scalars(select(AnswerRow)):
            bodies[row.fog] += len(row.body.encode())
        plans = [len(row.body.encode()) for row in session.scalars(select(PlanRow))]
    # Statistics, weights, scores, weights: and the second weights of fog-a were a decline.
    assert (fog_a.n_answers, fog_a.n_updates, fog_b.n_answers, fog_b.n_updates) == (4, 1, 4, 2)
    assert fog_a.up_n_bytes == bodies["fog-a"] + MODEL_N_BYTES
    assert fog_b.up_n_bytes == bodies["fog-b"] + 2 * MODEL_N_BYTES
    # No model, the base, base and candidate, the base.
    assert fog_a.n_plans == 4 and fog_a.down_n_bytes == fog_b.down_n_bytes == sum(plans) + 4 * MODEL_N_BYTES


def test_a_plan_answered_twice_was_sent_once(chronicle: Chronicle) -> None:
    with chronicle.ledger.transaction() as session:
        before = link_traffic(session, "small", ["main"], FOGS, chronicle.federation.specification())[0]
        row = session.scalars(select(AnswerRow).where(AnswerRow.fog == "fog-a")).one()
        copied = {key: getattr(row, key) for key in ("federation", "topic", "partition", "plan_id", "fog", "body")}
        session.add(AnswerRow(**copied, offset=999, append_time_ms=1, verdict="duplicate"))
        session.flush()
        after = link_traffic(session, "small", ["main"], FOGS, chronicle.federation.specification())[0]
    assert (after.n_plans, after.down_n_bytes) == (before.n_plans, before.down_n_bytes)
    assert after.n_answers == before.n_answers + 1 and after.up_n_bytes > before.up_n_bytes


def test_the_number_of_statements_does_not_grow_with_the_rounds(chronicle: Chronicle) -> None:
    def n_statements() -> int:
        seen: list[str] = []
        with chronicle.ledger.transaction() as session:
            connection = session.connection()
            event.listen(connection, "before_cursor_execute", lambda *told: seen.append(told[2]))
            view = federation_view(session, "small", ["main"])
            round_matrix(session, "small", "main", FOGS)
            assert view.specification is not None
            link_traffic(session, "small", ["main"], FOGS, view.specification)
        return len(seen)

    chronicle.round(0)
    few = n_statements()
    for index in range(1, 12):
        chronicle.round(index)
    assert n_statements() == few <= 10
