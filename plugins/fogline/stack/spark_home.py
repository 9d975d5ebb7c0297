"""Where the installed Spark lies; found without importing it."""

import importlib.util
from pathlib import Path

from fogline.stack.errors import StackError


def spark_home() -> Path:
    """Return the folder of the installed pyspark, which is a whole Spark distribution."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise StackError("pyspark is not in this Python environment: run the command through ./fogline")
    return Path(found.origin).parent


def spark_jars() -> Path:
    """Return the folder of Spark's own jars."""
    return spark_home() / "jars"
