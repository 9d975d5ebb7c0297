# One image for everything that is Fogline's: Airflow's programs, Spark's master and workers, fogs, producer, exporter.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE}

RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless tini \
    && rm -rf /var/lib/apt/lists/*

# The lock decides every version and every hash; pyproject.toml names what is wanted of it (not the tests' tools).
# uv comes by its own entry of the lock. Spark's unpacked source alone is 1.4 GB, so no cache stays in the layer.
COPY requirements.lock pyproject.toml /opt/fogline/
RUN sed -n '/^uv==/,/[^\\]$/p' /opt/fogline/requirements.lock > /tmp/uv.lock \
    && python -m pip install --no-cache-dir --require-hashes -r /tmp/uv.lock \
    && UV_SYSTEM_CERTS=true uv pip install --system --no-cache --compile-bytecode --require-hashes \
        -r /opt/fogline/pyproject.toml -c /opt/fogline/requirements.lock \
    && rm /tmp/uv.lock

ENV PYTHONPATH=/opt/fogline:/opt/fogline/plugins \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1 \
    SPARK_HOME=/usr/local/lib/python3.12/site-packages/pyspark \
    SPARK_CONF_DIR=/opt/fogline/etc/spark/conf \
    SPARK_LOCAL_DIRS=/tmp \
    AIRFLOW_HOME=/opt/fogline/etc/airflow \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/lib/fogline/airflow-logs \
    AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY=/var/lib/fogline/airflow-logs/dag_processor \
    FOGLINE_HOME=/var/lib/fogline \
    FOGLINE_TOOLS=/opt/fogline/tools \
    FOGLINE_CACHE=/var/lib/fogline/cache \
    FOGLINE_FOG_DATA=/var/lib/fogline/fog \
    FOGLINE_PRODUCER_STATE=/var/lib/fogline/producer \
    FOGLINE_MODEL_STORE=file:///var/lib/fogline/models

# The Kafka connector's jars, by the launcher's own pinned and verified way; only these modules make it fetch them again.
COPY plugins/fogline/__init__.py plugins/fogline/errors.py /opt/fogline/plugins/fogline/
COPY plugins/fogline/stack/__init__.py plugins/fogline/stack/bootstrap.py plugins/fogline/stack/errors.py \
    plugins/fogline/stack/jars.py plugins/fogline/stack/java.py plugins/fogline/stack/spark_home.py \
    plugins/fogline/stack/spark-jars.lock /opt/fogline/plugins/fogline/stack/
RUN python -m fogline.stack.jars spark

# Volumes begin with the owner that their folder has here.
RUN groupadd --gid 1000 fogline && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /tmp fogline \
    && mkdir -p /var/lib/fogline \
    && cd /var/lib/fogline && mkdir airflow-logs cache fog models producer && chown fogline:fogline ./*

COPY plugins /opt/fogline/plugins
COPY dags /opt/fogline/dags
COPY spark_jobs /opt/fogline/spark_jobs
COPY producer /opt/fogline/producer
RUN python -m fogline.stack.containers configure && python -m compileall -q /opt/fogline

USER fogline
WORKDIR /tmp
# A signal goes to the whole group, as the launcher's supervisor sends it: Spark's Java and its Python both hear it.
ENTRYPOINT ["tini", "-g", "--"]
