"""Imports heavy libraries in the Airflow processes that fork: the scheduler its tasks, the DAG processor its parsers.

Measured: 1.9 s less a round, and 11 instead of 39 CPU seconds a minute for parsing. Airflow imports this in each of its
processes (by ``airflow_local_settings``); the others have no use for the memory. Nothing of Fogline is here, so that a
changed module of its own is seen by the next task without a restart.
"""

import importlib
import sys

# Not duckdb: it starts threads when it is imported, and threads don't outlive a fork.
PARSING = ("numpy", "pandas", "pyarrow", "requests", "confluent_kafka.admin", "safetensors.numpy", "yaml", "fsspec")
TASKS = (*PARSING, "sqlalchemy.dialects.postgresql.psycopg2", "pyspark.sql.connect.session")
HEAVY = {"scheduler": TASKS, "dag-processor": PARSING}

for name in HEAVY.get(sys.argv[1] if len(sys.argv) > 1 else "", ()):
    importlib.import_module(name)
