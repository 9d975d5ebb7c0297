"""A branch's file: what it may say, and how each fault is told."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fogline.federation import FederationError, NewBranch, federation_file, load_federation, load_federations
from fogline.federation.new_branch import check_new_branch, write_branch
from tests.support.federations import SMALL, write_federation


def write(folder: Path, branch: str = "slow", /, **content: Any) -> Path:
    path = federation_file("small", branch, folder)
    path.write_text(yaml.safe_dump({key: value for key, value in {"from": "main@12", **content}.items() if value}))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_federation(tmp_path, schedule="live", promotion={"tolerance": 0.2, "approval": {"timeout_s": 9}})
    return tmp_path


def test_a_branch_is_the_federation_with_what_differs(folder: Path) -> None:
    overrides = {"training": {"learning_rate": 0.02}, "promotion": {"on_refusal": "fail"}, "owner": "someone"}
    branch = load_federation(write(folder, exclude=["fog-b"], **overrides))
    main = load_federation(folder / "small.yaml")
    assert (branch.federation, branch.branch, branch.begins_at) == ("small", "slow", "main@12")
    assert (main.branch, main.begins_at) == ("main", None)
    assert list(branch.fogs) == ["fog-a"] and list(branch.specification().fogs) == ["fog-a"]
    assert (branch.training.learning_rate, branch.training.epochs) == (0.02, main.training.epochs)
    assert (branch.promotion.tolerance, branch.promotion.on_refusal) == (0.2, "fail")
    assert (branch.owner, branch.description) == ("someone", main.description)
    assert (branch.start, branch.features, branch.seed) == (main.start, main.features, main.seed)


def test_a_live_federations_branch_runs_only_when_asked(folder: Path) -> None:
    assert load_federation(folder / "small.yaml").schedule == "live"
    assert load_federation(write(folder)).schedule == "none"
    assert load_federation(write(folder, schedule="live")).schedule == "live"


def test_null_takes_a_setting_of_the_federations_out(folder: Path) -> None:
    path = write(folder)
    write_federation(folder, owner="ann", promotion={"approval": {"timeout_s": 9}})
    path.write_text("from: main@12\nowner: null\npromotion: {approval: null}\n")
    main, branch = load_federation(folder / "small.yaml"), load_federation(path)
    assert (main.owner, main.promotion.approval is None) == ("ann", False)
    assert (branch.owner, branch.promotion.approval is None) == ("fogline", True)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"from": None, "owner": "me"}, "from: is missing; add where the branch begins, such as from: main@12"),
        ({"from": "main"}, "from: 'main' is no version; write branch@number"),
        ({"from": 12}, "from: '12' is no version; write branch@number"),
        ({"from": "slow@3"}, "from: slow@3 is of this branch itself; name a version of another"),
        ({"exclude": ["fog-c"]}, "exclude: there is no fog fog-c; small has fog-a, fog-b"),
        ({"exclude": [{"fog-a": 1}]}, "exclude: there is no fog {'fog-a': 1}; small has fog-a, fog-b"),
        ({"exclude": "fog-a"}, "exclude: is no list; write exclude: [fog-a]"),
        ({"exclude": ["fog-a", "fog-b"]}, "exclude: leaves no fog to train; leave at least one in"),
        ({"trainin": {"epochs": 2}}, "trainin: is not a key of a branch's file; did you mean training?"),
        ({"zzz": 1}, "zzz: is not a key of a branch's file; remove it; known here: aggregation, alerts, description"),
        ({"training": {"epochs": -1}}, "training.epochs: Input should be greater than or equal to 1 (it says -1)"),
        ({"training": {"epoch": 1}}, "training.epoch: is not a key known here; did you mean epochs?"),
        ({"round": {"quorum": 2}, "exclude": ["fog-a"]}, "quorum 2 is above the 1 fogs; lower it"),
        ({"window": "PT1H"}, "window is shorter than interval"),
        ({"start": "2024-01-01T00:00:00Z"}, "start: a branch can't have its own, because the grid of intervals is the"),
        ({"interval": "P1D"}, "interval: a branch can't have its own, because the grid"),
        ({"seed": 1}, "seed: a branch can't have its own, because the held-out days are the federation's"),
        ({"held_out_share": 0.5}, "held_out_share: a branch can't have its own, because the held-out days"),
        ({"fields": {"x": {"min": 0, "max": 1}}}, "fields: a branch can't have its own, because it is about the readi"),
        ({"lateness": "P1D"}, "lateness: a branch can't have its own, because it is about the readings that a fog"),
        ({"look_back": "P1D"}, "look_back: a branch can't have its own, because it decides what a weight means"),
        ({"features": {"x": "y"}}, "features: a branch can't have its own, because it decides what a weight means"),
        ({"target": {"name": "y"}}, "target: a branch can't have its own, because it decides what a weight means"),
        ({"model": {"kind": "linear"}}, "model: a branch can't have its own, because it decides what a weight means"),
        ({"initialise": {"a": 1}}, "initialise: a branch can't have its own, because it decides what a weight means"),
        ({"fogs": {"fog-a": {"sensors": ["s1"]}}}, "fogs: a branch can't have its own, because a branch has the fed"),
        ({"branch": "slow"}, "branch: a branch can't have its own, because the file's name and `from:` say it"),
        ({"begins_at": "main@1"}, "begins_at: a branch can't have its own, because the file's name and `from:` say"),
    ],
)
def test_a_fault_is_one_line_that_names_the_place(folder: Path, content: dict[str, Any], line: str) -> None:
    with pytest.raises(FederationError) as raised:
        load_federation(write(folder, **content))
    (said,) = str(raised.value).splitlines()
    assert said.startswith("small.slow.yaml: ") and line in said


@pytest.mark.parametrize("key", ["federation", "branch", "begins_at"])
def test_the_federations_own_file_names_no_branch(tmp_path: Path, key: str) -> None:
    with pytest.raises(FederationError, match=rf"small.yaml: {key}: the file's name gives it; remove the key"):
        load_federation(write_federation(tmp_path, **{key: "main"}))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("small.a.b", "'a.b' is no name of a branch"),
        ("small.", "'' is no name of a branch"),
        ("small.a__b", "'a__b' is no name of a branch"),
        ("small.3rd", "'3rd' is no name of a branch"),
        ("small.main", "main is what small.yaml itself describes; give the branch another name"),
        ("my farm", "'my farm' is no name of a federation"),
        ("a__b", "'a__b' is no name of a federation"),
    ],
)
def test_a_file_with_a_wrong_name_is_told(folder: Path, name: str, says: str) -> None:
    path = folder / f"{name}.yaml"
    path.write_text("from: main@12\n")
    with pytest.raises(FederationError) as raised:
        load_federation(path)
    assert says in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_a_branch_without_its_federation_is_told(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match=r"small.slow.yaml: there is no small.yaml beside it"):
        load_federation(write(tmp_path))
    write_federation(tmp_path, start=None, owner=3)
    with pytest.raises(FederationError) as raised:
        load_federation(write(tmp_path))
    (said,) = str(raised.value).splitlines()
    assert said.startswith("small.slow.yaml: its federation's file must be mended first: small.yaml: start: is missing")


def test_a_broken_branch_takes_down_only_itself(folder: Path) -> None:
    write(folder, "sound")
    write(folder, "broken", seed=3)
    federations, faults = load_federations(folder)
    assert [(one.federation, one.branch) for one in federations] == [("small", "sound"), ("small", "main")]
    assert list(faults) == ["small.broken"]


def test_a_file_that_is_not_there_names_those_that_are(folder: Path) -> None:
    with pytest.raises(FederationError, match=r"orchard.yaml: there is no such file in .*; there: small.yaml"):
        load_federation(folder / "orchard.yaml")


def test_a_new_branchs_file_says_what_was_asked_for(folder: Path) -> None:
    asked = ["training.learning_rate=0.02", "training.epochs=3", "window=P3D"]
    path = write_branch(folder, NewBranch("small", "slow", "main@12", ["fog-b"], asked))
    assert yaml.safe_load(path.read_text()) == {
        "description": f"small from main@12 without fog-b with {', '.join(asked)}",
        "from": "main@12",
        "exclude": ["fog-b"],
        "training": {"learning_rate": 0.02, "epochs": 3},
        "window": "P3D",
    }
    branch = load_federation(path)
    assert (branch.training.learning_rate, branch.training.batch_size) == (0.02, SMALL["training"]["batch_size"])
    assert [one.name for one in folder.iterdir() if one.name.endswith(".part")] == []


def test_a_new_branch_never_replaces_a_file(folder: Path) -> None:
    path = write(folder)
    before = path.read_text()
    with pytest.raises(FederationError, match=r"small.slow.yaml: is there already; edit that file, or give"):
        write_branch(folder, NewBranch("small", "slow", "main@13"))
    assert path.read_text() == before


def test_of_two_who_write_one_branch_at_once_the_second_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def another_is_quicker(directory: Path, new: NewBranch) -> None:
        check_new_branch(directory, new)
        write(directory)

    monkeypatch.setattr("fogline.federation.new_branch.check_new_branch", another_is_quicker)
    with pytest.raises(FederationError, match="was written by someone else at this moment"):
        write_branch(folder, NewBranch("small", "slow", "main@13"))
    assert load_federation(federation_file("small", "slow", folder)).begins_at == "main@12"


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (NewBranch("small", "slow", "main@1", settings=["training"]), "'training' is no setting; write key=value"),
        (NewBranch("small", "slow", "main@1", settings=[".a=1"]), "'.a=1' is no setting; write key=value"),
        (NewBranch("small", "slow", "main@1", settings=["seed=1"]), "seed: a branch can't have its own"),
        (NewBranch("small", "slow", "main@1", settings=["from=main@2"]), "from is asked for apart from the settings"),
        (NewBranch("small", "slow", "main@1", settings=["window=[a"]), "write the value as YAML"),
        (
            NewBranch("small", "slow", "main@1", settings=["training=1", "training.epochs=2"]),
            "'training.epochs=2': training has a value already; keep one of the two",
        ),
        (NewBranch("small", "a.b", "main@1"), "'a.b' is no name of a branch"),
        (NewBranch("small", "slow", "main@1", ["fog-z"]), "there is no fog fog-z"),
    ],
)
def test_a_branch_that_would_not_be_sound_is_not_written(folder: Path, new: NewBranch, says: str) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(FederationError) as raised:
        write_branch(folder, new)
    assert says in str(raised.value)
    assert sorted(folder.iterdir()) == before


def test_a_folder_that_cannot_be_written_is_told_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A superuser may write anywhere, so the refusal is made.
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.link", refuse)
    with pytest.raises(
        FederationError, match=r"can't be written: Permission denied; let this user write to the folder"
    ):
        write_branch(folder, NewBranch("small", "slow", "main@1"))
    assert [one.name for one in folder.iterdir()] == ["small.yaml"]
