"""A fog's folder belongs to one process and one fog."""

from pathlib import Path

import pytest

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


def test_a_checkpoint_of_no_known_origin_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "farm" / "fog-a" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text("{}")
    with pytest.raises(FogError, match="of something else"):
        FogFolder(tmp_path, "farm", "fog-a", "sensor-data")
