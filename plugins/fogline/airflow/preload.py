"""Import once what every task and every parse needs, in the Airflow processes that fork them.

The scheduler's executor and the DAG processor call `preload` before their first fork. A child forgets Fogline's own
modules if one of their files has changed since, so that an edit needs no restart: it costs that child the imports.
"""

import importlib
import os

from fogline import loaded

DAGS = ("fogline.airflow.dags",)
# Beside them what is imported late: by Fogline, by Airflow's task runner, by rich, by pyspark.
TASKS = (
    *DAGS,
    "airflow.providers.apache.spark.hooks.spark_connect",
    "airflow.sdk.execution_time.cache",
    "grpc._channel",
    "httpx",
    "jinja2.ext",
    "pandas",
    "pendulum.locales.en.locale",
    "pyarrow.pandas_compat",
    "pyspark.sql.connect.session",
    "rich._emoji_codes",
    "spark_jobs.aggregate_round",
    "sqlalchemy.dialects.postgresql.psycopg2",
)


def preload(names: tuple[str, ...]) -> None:
    """Import modules, and have each child of this process forget Fogline's when they are not up to date."""
    for name in names:
        importlib.import_module(name)
    imported = loaded.stamps()
    os.register_at_fork(after_in_child=lambda: loaded.forget_changed(imported))
