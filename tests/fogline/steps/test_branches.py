"""Branches over a real broker: rounds on them, compare, promote, roll back, and what Kafka's subscribers see."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fogline.federation import federation_file, load_federation
from fogline.kafka.read import TailReader, open_consumer
from fogline.kafka.topics import GLOBAL_MODEL
from fogline.kafka.vectors import fetch_vector
from fogline.ledger import models
from fogline.ledger.database import LedgerError
from fogline.messages.head import Head
from fogline.messages.plan import EventTimeSpan
from fogline.rounds.errors import RoundRefused
from fogline.rounds.intervals import interval_at
from fogline.steps.branch_desk import branches_table, describe_move
from fogline.steps.branches import move_of_run, next_interval, promote, roll_back
from fogline.steps.comparison import compare_branches, keep_picture, table_of
from fogline.steps.measure import announce_evaluation, record_evaluation
from fogline.versions import Version
from tests.support.cloud import Cloud
from tests.support.rounds import collect, initialise, open_round, whole_round

BranchOf = Callable[..., Cloud]


@pytest.fixture
def on_branch(cloud: Cloud, tmp_path: Path) -> BranchOf:
    """Write a branch's file and give the cloud on it."""

    def make(name: str, **content: Any) -> Cloud:
        path = federation_file(cloud.federation.federation, name, tmp_path)
        path.write_text(yaml.safe_dump({"from": "main@1", **content}))
        return dataclasses.replace(cloud, federation=load_federation(path))

    return make


@pytest.fixture
def trained(cloud: Cloud) -> Cloud:
    """Main with three rounds."""
    initialise(cloud)
    for index, error in enumerate((1.9, 1.8, 1.7)):
        whole_round(cloud, f"r{index}", [1.0, float(index)], error=error)
    return cloud


def chain(cloud: Cloud) -> list[tuple[str, int | None]]:
    with cloud.services.ledger.transaction() as session:
        rows = models.chain_of(session, cloud.federation.federation, cloud.federation.branch)
        return [(row.name, row.interval_index) for row in rows]


def heads(cloud: Cloud) -> list[tuple[int, int]]:
    """Return version and head number of each record of the branch's head, as a subscriber reads them."""
    with open_consumer(cloud.services.kafka) as consumer:
        reader = TailReader(consumer, GLOBAL_MODEL, {})
        records = [record for _ in range(5) for record in reader.poll(0.3)]
    key = f"{cloud.federation.federation}/{cloud.federation.branch}/manifest"
    found = [Head.from_bytes(record.value) for record in records if record.key == key and record.value]
    newest = fetch_vector(cloud.services.kafka, found[-1].weights)
    assert newest.size == 2
    return [(head.version, head.head_no) for head in found]


MAIN_CHAIN = [("main@0", None), ("main@1", 0), ("main@2", 1), ("main@3", 2)]


def test_a_branch_goes_on_from_its_version_and_leaves_main_alone(trained: Cloud, on_branch: BranchOf) -> None:
    branch = on_branch("slow", exclude=["fog-b"])
    opened = open_round(branch, "b1")
    assert opened.state.plan.members == ("fog-a",) and opened.state.plan.quorum == 1
    assert (str(opened.choice.base), opened.choice.interval.index) == ("slow@1", 1)
    whole_round(branch, "b1", [5.0, 5.0])
    whole_round(branch, "b2", [6.0, 6.0])
    assert chain(branch) == [("main@0", None), ("slow@1", 0), ("slow@2", 1), ("slow@3", 2)]
    assert chain(trained) == MAIN_CHAIN
    assert heads(branch) == [(1, 1), (2, 2), (3, 3)]


def test_an_interval_before_the_branch_is_recomputed_where_it_was_trained(trained: Cloud, on_branch: BranchOf) -> None:
    branch = on_branch("slow")
    name = trained.federation.federation
    with pytest.raises(RoundRefused, match=rf"was trained on main; .*with the DAG federated_round__{name}$"):
        open_round(branch, "b0", interval_at(branch.federation, 0))


def test_branches_are_compared_over_the_fogs_that_both_scored(trained: Cloud, on_branch: BranchOf) -> None:
    branch = on_branch("slow", exclude=["fog-b"])
    whole_round(branch, "b1", [5.0, 5.0], error=1.5)
    comparison = compare_branches(trained.services, trained.federation, "main", "slow")
    assert [(row.interval_index, *row.errors) for row in comparison.rows] == [
        (0, 1.9, 1.9),
        (1, 1.8, 1.5),
        (2, 1.7, None),
    ]
    assert {row.fogs for row in comparison.rows} == {("fog-a",)}
    table = table_of(trained.federation, comparison)
    assert "2024-01-02" in table and "Not counted, scored by main alone: fog-b" in table
    path = keep_picture(trained.services, trained.federation, comparison)
    assert path == f"comparisons/{trained.federation.federation}/main@3--slow@2.png"
    assert trained.services.store.read(path).startswith(b"\x89PNG")


def test_what_cannot_be_compared_is_said(trained: Cloud, on_branch: BranchOf) -> None:
    on_branch("slow")
    with pytest.raises(RoundRefused, match=r"has no branch slow with a model; there are: main; .* its first round"):
        compare_branches(trained.services, trained.federation, "main", "slow")
    with pytest.raises(RoundRefused, match="main is compared with itself; name two branches"):
        compare_branches(trained.services, trained.federation, "main", "main")


def test_promote_moves_main_on_record_and_it_trains_on_from_there(trained: Cloud, on_branch: BranchOf) -> None:
    branch = on_branch("slow")
    whole_round(branch, "b1", [5.0, 5.0])
    moved = promote(trained.services, trained.federation, "slow", "ann")
    said = describe_move(trained.services, trained.federation, moved)
    assert "main: main@3 → main@4 (the model of slow@2), head number 5, promoted by ann" in said
    assert "Next: interval 2 (2024-01-03 00:00 to 2024-01-04 00:00 UTC)" in said
    assert chain(trained) == [("main@0", None), ("slow@1", 0), ("main@4", 1)]
    assert heads(trained)[-1] == (4, 5)
    assert whole_round(trained, "again", [7.0, 7.0]).model.name == "main@5"
    assert chain(trained)[-2:] == [("main@4", 1), ("main@5", 2)]
    sent = heads(trained)
    assert sent == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]
    comparison = compare_branches(trained.services, trained.federation, "main", "slow")
    assert [(row.interval_index, str(row.versions[0])) for row in comparison.rows] == [(1, "main@4"), (2, "main@5")]


def test_promoting_twice_is_refused(trained: Cloud, on_branch: BranchOf) -> None:
    whole_round(on_branch("slow"), "b1", [5.0, 5.0])
    promote(trained.services, trained.federation, "slow", "ann")
    with pytest.raises(RoundRefused, match=r"slow@2 is what main has already \(main@4\); nothing to promote"):
        promote(trained.services, trained.federation, "slow", "ann")
    with pytest.raises(RoundRefused, match="has no branch nowhere with a model; train a round on it first"):
        promote(trained.services, trained.federation, "nowhere", "ann")
    assert chain(trained)[-1] == ("main@4", 1)


def test_roll_back_frees_the_intervals_after_it(trained: Cloud) -> None:
    moved = roll_back(trained.services, trained.federation, Version("main", 1), "ann")
    assert (moved.before, moved.model.name, moved.move.head_no) == ("main@3", "main@1", 5)
    assert heads(trained)[-1] == (1, 5)
    assert next_interval(trained.services, trained.federation).index == 1
    assert whole_round(trained, "again", [7.0, 7.0]).model.name == "main@4"
    assert chain(trained) == [("main@0", None), ("main@1", 0), ("main@4", 1)]
    assert heads(trained)[-3:] == [(3, 4), (1, 5), (4, 6)]


def test_a_model_that_only_another_branch_had_gets_a_version_of_its_own(trained: Cloud, on_branch: BranchOf) -> None:
    branch = on_branch("slow")
    whole_round(branch, "b1", [5.0, 5.0])
    whole_round(branch, "b2", [6.0, 6.0])
    promote(trained.services, trained.federation, "slow", "ann")
    moved = roll_back(trained.services, trained.federation, Version("slow", 2), "ann")
    assert moved.model.name == "main@5" and chain(trained)[1:] == [("slow@1", 0), ("main@5", 1)]
    assert whole_round(trained, "again", [7.0, 7.0]).model.name == "main@6"


@pytest.mark.parametrize("to", [Version("main", 1), Version("slow", 1)])
def test_roll_back_undoes_a_promotion(trained: Cloud, on_branch: BranchOf, to: Version) -> None:
    whole_round(on_branch("slow"), "b1", [5.0, 5.0])
    promote(trained.services, trained.federation, "slow", "ann")
    with pytest.raises(RoundRefused, match=r"main@3 is not on the way to main@4"):
        roll_back(trained.services, trained.federation, Version("main", 3), "ann")
    moved = roll_back(trained.services, trained.federation, to, "ann")
    assert moved.model.name == "main@1" and chain(trained) == [("main@0", None), ("main@1", 0)]
    assert whole_round(trained, "again", [7.0, 7.0]).model.name == "main@5"
    assert [head_no for _, head_no in heads(trained)] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("to", "says"),
    [
        (Version("main", 3), r"main@3 is the head already; main can be rolled back to main@0, main@1, main@2"),
        (Version("main", 9), r"main@9 does not exist; the newest version is main@3"),
        (Version("slow", 1), r"slow@1 does not exist; slow has no model yet"),
    ],
)
def test_a_roll_back_to_what_is_not_before_the_head_is_refused(trained: Cloud, to: Version, says: str) -> None:
    with pytest.raises((RoundRefused, LedgerError), match=says):
        roll_back(trained.services, trained.federation, to, "ann")
    assert chain(trained) == MAIN_CHAIN


def test_a_run_that_moved_the_head_moves_it_once(trained: Cloud) -> None:
    assert move_of_run(trained.services, trained.federation, "manual__1") is None
    first = roll_back(trained.services, trained.federation, Version("main", 1), "manual__1")
    whole_round(trained, "again", [7.0, 7.0])
    again = move_of_run(trained.services, trained.federation, "manual__1")
    assert again is not None
    assert (again.before, again.model.name, again.move.head_no) == ("main@3", "main@1", first.move.head_no)
    assert chain(trained)[-1] == ("main@4", 1)


def test_a_branch_that_begins_at_no_version_is_refused(trained: Cloud, on_branch: BranchOf) -> None:
    with pytest.raises(LedgerError, match=r"main@99 does not exist; the newest version is main@3"):
        open_round(on_branch("slow", **{"from": "main@99"}), "b1")
    with pytest.raises(LedgerError, match=r"other@1 does not exist; other has no model yet"):
        open_round(on_branch("slow", **{"from": "other@1"}), "b1")


def test_a_branch_whose_file_names_another_beginning_later_is_refused(trained: Cloud, on_branch: BranchOf) -> None:
    whole_round(on_branch("slow"), "b1", [5.0, 5.0])
    with pytest.raises(RoundRefused, match=r"slow began at main@1, and its file names main@2 now; put from: main@1"):
        open_round(on_branch("slow", **{"from": "main@2"}), "b2")
    assert whole_round(on_branch("slow"), "b2", [5.0, 5.0]).model.name == "slow@3"


def test_a_branch_can_begin_on_another_branch(trained: Cloud, on_branch: BranchOf) -> None:
    whole_round(on_branch("slow"), "b1", [5.0, 5.0])
    second = on_branch("slower", **{"from": "slow@2"})
    whole_round(second, "c1", [6.0, 6.0])
    assert chain(second) == [("main@0", None), ("slow@1", 0), ("slower@2", 1), ("slower@3", 2)]
    comparison = compare_branches(trained.services, trained.federation, "slow", "slower")
    assert comparison.fork == (Version("slow", 2), Version("slower", 2))


def test_the_list_knows_files_and_ledger(trained: Cloud, on_branch: BranchOf, tmp_path: Path) -> None:
    name = trained.federation.federation
    for branch in ("gone", "slow"):
        whole_round(on_branch(branch), branch, [5.0, 5.0])
    federation_file(name, "gone", tmp_path).unlink()
    on_branch("fresh", **{"from": "main@2"})
    federation_file(name, "broken", tmp_path).write_text("seed: 1")
    lines = branches_table(trained.services, tmp_path, name).splitlines()
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[3:]}
    assert rows == {
        "broken": "- none yet - is broken",
        "fresh": "main@2 none yet - sound",
        "gone": "main@1 gone@2 1 (2024-01-02 00:00 to 2024-01-03 00:00 UTC) is gone",
        "main": "- main@3 2 (2024-01-03 00:00 to 2024-01-04 00:00 UTC) sound",
        "slow": "main@1 slow@2 1 (2024-01-02 00:00 to 2024-01-03 00:00 UTC) sound",
    }


def test_any_branchs_version_is_scored_by_all_fogs(trained: Cloud, on_branch: BranchOf) -> None:
    whole_round(on_branch("slow", exclude=["fog-b"]), "b1", [5.0, 5.0])
    window = EventTimeSpan(start=trained.federation.start, end=trained.federation.start + trained.federation.window)
    state = announce_evaluation(trained.services, trained.federation, "e", Version("slow", 2), window, "all", 20)
    assert state.plan.members == ("fog-a", "fog-b")
    for fog in (trained.fog_a, trained.fog_b):
        fog.scores(state.plan, {"slow@2": 3.0})
    assert list(record_evaluation(trained.services, collect(trained, state))["slow@2"]) == ["fog-a", "fog-b"]
