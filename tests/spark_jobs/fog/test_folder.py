"""A fog's folder belongs to one process and one fog."""

import json
from pathlib import Path

import pytest

from fogline.kafka.identity import TopicIdentity
from spark_jobs.fog.errors import FogError
from spark_jobs.fog.folder import FogFolder


def test_a_second_process_on_the_folder_is_refused(tmp_path: Path) -> None:
    first = FogFolder(tmp_path, "farm", "fog-a", "sensor-data")
    with pytest.raises(FogError, match="another process runs fog-a"):
        FogFolder(tmp_path, "farm", "fog-a", "sensor-data")
    first.close()
    FogFolder(tmp_path, "farm", "fog-a", "sensor-data").close()


def test_fogs_have_folders_of_their_own(tmp_path: Path) -> None:
    a, b = (FogFolder(tmp_path, "farm", fog, "sensor-data") for fog in ("fog-a", "fog-b"))
    assert a.checkpoint != b.checkpoint
    assert a.checkpoint_id != b.checkpoint_id
    a.close()
    b.close()


def test_a_checkpoint_keeps_its_id_and_a_new_one_gets_a_new_id(tmp_path: Path) -> None:
    folder = FogFolder(tmp_path, "farm", "fog-a", "sensor-data")
    folder.close()
    again = FogFolder(tmp_path, "farm", "fog-a", "sensor-data")
    assert again.checkpoint_id == folder.checkpoint_id
    again.close()
    (folder.checkpoint / "fogline.json").unlink()
    anew = FogFolder(tmp_path, "farm", "fog-a", "sensor-data")
    assert anew.checkpoint_id != folder.checkpoint_id
    anew.close()


@pytest.mark.parametrize(("federation", "topic"), [("farm", "other-topic"), ("mill", "sensor-data")])
def test_a_checkpoint_of_something_else_is_refused_with_the_remedy(tmp_path: Path, federation: str, topic: str) -> None:
    FogFolder(tmp_path, "farm", "fog-a", "sensor-data").close()
    (tmp_path / "farm").rename(tmp_path / federation)
    with pytest.raises(FogError, match=r"belongs to .*; give FOGLINE_FOG_DATA another folder, or move"):
        FogFolder(tmp_path, federation, "fog-a", topic)


def open_and_close(data: Path, source: TopicIdentity) -> str:
    folder = FogFolder(data, "farm", "fog-a", "sensor-data", source)
    folder.close()
    return folder.checkpoint_id


@pytest.mark.parametrize(("name", "other"), [("cluster", TopicIdentity("B", "a")), ("topic", TopicIdentity("A", "b"))])
def test_a_topic_made_anew_is_refused_and_read_anew_with_a_new_checkpoint(
    tmp_path: Path, name: str, other: TopicIdentity
) -> None:
    before = open_and_close(tmp_path, TopicIdentity("A", "a"))
    checkpoint = tmp_path / "farm" / "fog-a" / "checkpoint"
    says = f"{checkpoint}: continues topic sensor-data of {name} id .* made anew, .*; move {checkpoint} away"
    with pytest.raises(FogError, match=says):
        open_and_close(tmp_path, other)
    # A refusal leaves the folder to the next process, and the checkpoint as it was.
    assert open_and_close(tmp_path, TopicIdentity("A", "a")) == before
    checkpoint.rename(tmp_path / "away")
    assert open_and_close(tmp_path, other) != before


def test_topics_of_a_name_are_numbered_by_their_ids_in_order(tmp_path: Path) -> None:
    checkpoint = tmp_path / "farm" / "fog-a" / "checkpoint"
    numbers = []
    for number, topic in enumerate(["a", "b", "a", None]):
        folder = FogFolder(tmp_path, "farm", "fog-a", "sensor-data", TopicIdentity("A", topic))
        numbers.append(folder.n_topics_before)
        folder.close()
        checkpoint.rename(tmp_path / f"away-{number}")
    assert numbers == [0, 1, 0, 1]


def test_what_a_broker_does_not_tell_is_not_compared_and_noted_once_it_does(tmp_path: Path) -> None:
    for source in (TopicIdentity(), TopicIdentity("A"), TopicIdentity("A", "a"), TopicIdentity(), TopicIdentity("A")):
        open_and_close(tmp_path, source)
    with pytest.raises(FogError, match="continues topic sensor-data of topic id a, and now that is b"):
        open_and_close(tmp_path, TopicIdentity("A", "b"))


@pytest.mark.parametrize("version", [{}, {"version": 1}])
def test_a_folder_of_the_first_layout_goes_on_and_one_of_another_is_refused(
    tmp_path: Path, version: dict[str, int]
) -> None:
    before = open_and_close(tmp_path, TopicIdentity())
    identity = tmp_path / "farm" / "fog-a" / "checkpoint" / "fogline.json"
    found = json.loads(identity.read_text())
    assert found.pop("version") == 2
    identity.write_text(json.dumps({**found, **version}))
    folder = FogFolder(tmp_path, "farm", "fog-a", "sensor-data", TopicIdentity("A", "a"))
    assert (folder.checkpoint_id, folder.had_own_query) == (before, True)
    folder.note_layout()
    folder.close()
    again = FogFolder(tmp_path, "farm", "fog-a", "sensor-data", TopicIdentity("A", "a"))
    assert (again.checkpoint_id, again.had_own_query) == (before, False)
    again.close()
    identity.write_text(json.dumps({**found, "version": 3}))
    with pytest.raises(
        FogError, match=r"version 3, and this Fogline knows version 2; run the Fogline that made it, or"
    ):
        open_and_close(tmp_path, TopicIdentity())


def test_an_identity_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    open_and_close(tmp_path, TopicIdentity())
    (tmp_path / "farm" / "fog-a" / "checkpoint" / "fogline.json").write_text("{")
    with pytest.raises(FogError, match="can't be read; move"):
        open_and_close(tmp_path, TopicIdentity())


def test_a_checkpoint_of_no_known_origin_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "farm" / "fog-a" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text("{}")
    with pytest.raises(FogError, match="of something else"):
        FogFolder(tmp_path, "farm", "fog-a", "sensor-data")
