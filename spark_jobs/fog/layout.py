"""Takes over a folder in which the fog had a query of its own: how far it is then stood in Spark's checkpoint alone.

1. Its position becomes the end of its last batch: of those that its state recorded and those that Spark committed.
   What was begun after it is read again, as it was to be.
2. The identity says the new layout: from here on the position in the state counts.
3. Spark's files go, which by now mean nothing.

Killed between any two, it does the same again: nothing is read from Spark's files once the identity says the new
layout, and before that nothing has been read from the topic.
"""

import shutil
from pathlib import Path

from spark_jobs.fog.errors import FogError
from spark_jobs.fog.folder import FogFolder
from spark_jobs.fog.spark_checkpoint import Offsets, SparkCheckpoint
from spark_jobs.fog.state import FogState

SPARKS_FILES = ("metadata", ".metadata.crc", "offsets", "commits", "sources")


def take_over(folder: FogFolder, state: FogState, topic: str) -> None:
    """Bring a claimed folder to the present layout.

    Raises
    ------
    FogError
        Spark's files can't be read.
    """
    if folder.had_own_query:
        state.advance(folder.checkpoint_id, _position(folder, state, topic))
        folder.note_layout()
    remove_sparks_files(folder.checkpoint)


def remove_sparks_files(checkpoint: Path) -> None:
    """Remove what Spark kept there."""
    for name in SPARKS_FILES:
        place = checkpoint / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _position(folder: FogFolder, state: FogState, topic: str) -> Offsets:
    spark = SparkCheckpoint(folder.checkpoint, topic)
    if not spark.is_begun():
        return {}
    # A batch without a record of the fog's was committed and not recorded.
    last = max(spark.last_committed(), state.last_batch(folder.checkpoint_id))
    try:
        return spark.offsets(last)
    except (OSError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise FogError(
            f"{folder.checkpoint}: the end of batch {last} can't be read ({type(error).__name__}: {error}); "
            "move it away to read the topic from its start (readings stay)"
        ) from error
