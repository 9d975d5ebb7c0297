"""Where a fog's data lie."""

from pathlib import Path


class FogPaths:
    """The places in the folder of one fog."""

    def __init__(self, data: Path, federation: str, fog: str) -> None:
        self.path = data / federation / fog
        self.checkpoint = self.path / "checkpoint"
        # Spark's, of the query that this fog is the first of.
        self.stream = self.path / "stream"
        self.readings = self.path / "readings"
        self.unused = self.path / "unused"
        self.state = self.path / "state.sqlite"
