"""Imports the tasks' heavy libraries in the scheduler, which forks the tasks: measured, 1.9 s less a round.

Airflow imports this in each of its processes (by ``airflow_local_settings``); the others have no use for the memory.
"""

import importlib
import sys

# Not duckdb: it starts threads when it is imported, and threads don't outlive a fork.
HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "confluent_kafka",
    "safetensors.numpy",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "pyspark.sql.connect.session",
)

if "scheduler" in sys.argv:
    for name in HEAVY:
        importlib.import_module(name)
