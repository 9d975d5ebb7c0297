"""How far a stream is delivered, and where that is kept."""

from pathlib import Path

import numpy as np
import pytest

from producer.errors import ProducerError
from producer.position import Position, PositionFile, advanced


def times(*seconds: int) -> np.ndarray:
    return np.array(seconds, dtype=np.int64) * 1_000_000


def test_a_position_counts_the_readings_at_its_event_time() -> None:
    first = advanced(None, times(1, 1, 2, 2))
    assert first == Position(2_000_000, 2, 4)
    assert advanced(first, times(2)) == Position(2_000_000, 3, 5)
    assert advanced(first, times(2, 3)) == Position(3_000_000, 1, 6)


def test_a_position_belongs_to_its_stream(tmp_path: Path) -> None:
    here = PositionFile(tmp_path / "state", {"topic": "sensor-data", "source": "csv", "paths": ["a.csv"]})
    assert here.load() is None
    here.save(Position(5, 1, 9))
    assert here.load() == Position(5, 1, 9)
    assert PositionFile(here.folder, here.stream | {"paths": ["b.csv"]}).load() is None
    assert PositionFile(here.folder, here.stream | {"topic": "other"}).load() is None
    assert [path.name for path in here.folder.iterdir()] == [here.path.name]


@pytest.mark.parametrize("text", ["", "{}", '{"position": {"event_time_us": 1}}', '{"position": 3}'])
def test_an_unreadable_position_says_which_file_to_remove(tmp_path: Path, text: str) -> None:
    file = PositionFile(tmp_path, {"topic": "sensor-data", "source": "csv"})
    file.path.write_text(text)
    with pytest.raises(ProducerError, match=r"sensor-data-csv-\w+\.json: not a readable position .* remove it"):
        file.load()
