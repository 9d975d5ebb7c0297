"""A broker with TLS, users and ACLs: producer, fog and aggregation get through with their own rights, and no others."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fogline.airflow.failures import PASSING
from fogline.artifacts import ArtifactStore
from fogline.kafka.clients import KafkaAccessError
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.read import open_consumer, partitions_of, read_exact
from fogline.kafka.security import self_contained
from fogline.kafka.topics import GLOBAL_MODEL, MODEL_UPDATES, MODEL_WEIGHTS, ROUND_PLANS, ensure_topics
from fogline.messages.seal import Result, Seal
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until
from spark_jobs.aggregation.in_driver import reduce_in_driver
from spark_jobs.aggregation.updates import Update
from tests.spark_jobs.fog import made
from tests.spark_jobs.fog.process import Farm, FogProcess, expected_digest, to_train
from tests.support.secured_kafka import ADMIN, SecuredKafka

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REPOSITORY = Path(__file__).parents[3]
TOPIC = "readings-of-fog-a"
PASSWORDS = {"setup": "Correct1horse", "producer": "Battery2staple", "fog-a": "Words3nobody", "airflow": "Guesses4ever"}


@pytest.fixture(scope="module")
def secured(session_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """The broker with the topics, and with the ACLs that docs/deploy.md gives."""
    parts = session_stack.parts
    folder = tmp_path_factory.mktemp("secured")
    kafka = SecuredKafka(folder, parts.java, parts.archives.kafka_jars, parts.archives.kafka, PASSWORDS)
    with kafka.run():
        names = {"sensor-data": TOPIC, "User:fog-1": "User:fog-a"}
        kafka.allow((REPOSITORY / "docs" / "deploy.md").read_text(), names)
        wait_until(lambda: _has_topics(kafka), what="the ACLs' effect", deadline_s=30)
        yield kafka


@pytest.fixture(scope="module")
def environment(session_stack: Stack) -> dict[str, str]:
    """The variables of any program here, without a broker."""
    spark = session_stack.parts.spark
    spark.prepare()
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")])
    return {**os.environ, **spark.environment(Path(sys.executable)), "PYTHONPATH": path}


def configured(folder: Path, name: str, config: Mapping[str, str]) -> dict[str, str]:
    """Write a program's Kafka settings and return the variable that names them."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(config))
    return {"FOGLINE_KAFKA_CONFIG": str(file)}


def produce(folder: Path, environment: Mapping[str, str], farm: Farm) -> "subprocess.CompletedProcess[str]":
    """Run the producer over five days of two sensors."""
    rows = [row for sensor in ("s1", "s3") for row in made.line(farm.own, sensor, 0, 5).to_pylist()]
    with (folder / "readings.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["sensor", "at", "x", "y"])
        writer.writerows([row["sensor_id"], row["event_time"].isoformat(), row["x"], row["y"]] for row in rows)
    command = [sys.executable, str(REPOSITORY / "producer" / "sensor_producer.py"), "csv", str(folder / "readings.csv")]
    command += ["--sensor-column", "sensor", "--time-column", "at", "--field", "x=x", "--field", "y=y"]
    command += ["--topic", TOPIC, "--state", str(folder / "state")]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def federations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("federations")


@pytest.fixture(scope="module")
def farm(secured: SecuredKafka, federations: Path) -> Farm:
    """One fog's federation, driven as Airflow's user."""
    fogs = {"fog-a": {"sensors": ["s1", "s3"], "topic": TOPIC}}
    own = made.federation(federations, name="secured", fogs=fogs)
    return Farm(secured.bootstrap_servers, own, TOPIC, secured.config("airflow"))


def test_readings_become_a_candidate_and_no_secret_is_written_down(
    session_stack: Stack,
    secured: SecuredKafka,
    federations: Path,
    farm: Farm,
    environment: dict[str, str],
    spark: "SparkSession",
    tmp_path: Path,
) -> None:
    produced = produce(tmp_path, {**environment, **configured(tmp_path, "edge", secured.config("producer"))}, farm)
    assert produced.returncode == 0, produced.stderr
    events = tmp_path / "events"
    events.mkdir()
    submit = session_stack.parts.spark.submit("--master", "local[1]")
    logged = ["spark.eventLog.enabled=true", "spark.eventLog.compress=false", f"spark.eventLog.dir={events.as_uri()}"]
    submit += [part for setting in logged for part in ("--conf", setting)]

    own = {"FOGLINE_FOG_DATA": str(tmp_path / "fog"), **configured(tmp_path, "fog", secured.config("fog-a"))}
    main = [str(REPOSITORY / "spark_jobs" / "fog_node.py"), "--federation", "secured", "--fog", "fog-a"]
    command = [*submit, *main, "--federations", str(federations)]
    fog = FogProcess(command, {**environment, **own}, tmp_path / "fog.log")
    try:
        plan = to_train(farm)
        farm.announce(plan)
        answer = farm.answer_to(plan)
    finally:
        fog.kill()
    assert answer.weights is not None and answer.weights.digest == expected_digest(farm, plan, tmp_path)

    store = ArtifactStore(f"file://{tmp_path}/store")
    store.write(f"{plan.plan_id}/seal.json", Seal(plan=plan, answers=(answer,)).to_bytes())
    own = {"FOGLINE_MODEL_STORE": store.url, **configured(tmp_path, "job", secured.config("airflow"))}
    command = [*submit, str(REPOSITORY / "spark_jobs" / "aggregate_round.py"), "--plan", plan.plan_id]
    done = subprocess.run(command, env={**environment, **own}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = Result.from_bytes(store.read(f"{plan.plan_id}/result.json"))
    assert result.candidate is not None and result.candidate.digest == answer.weights.digest

    certified = secured.certified_config("airflow")
    update = Update("fog-a", answer.n_examples, answer.weights)
    reduced = reduce_in_driver(spark, certified, [update], "weighted_mean").parameters
    assert reduced is not None and reduced.nbytes == answer.weights.blocks[0].n_bytes
    block = answer.weights.blocks[0]
    assert read_exact(self_contained(certified), MODEL_WEIGHTS, {block.partition: [block.offset]}, 20.0)

    written = [produced.stderr, fog.said(), done.stdout, done.stderr]
    recorded = [file.read_text() for file in events.rglob("*") if file.is_file()]
    assert len(recorded) >= 2 and any("kafka" in text.lower() for text in recorded)
    assert not [word for word in PASSWORDS.values() for text in [*written, *recorded] if word in text]


def test_a_wrong_password_ends_a_program_with_one_line_that_says_what_to_do(
    secured: SecuredKafka, federations: Path, farm: Farm, environment: dict[str, str], tmp_path: Path
) -> None:
    wrong = {**environment, **configured(tmp_path, "wrong", secured.config("fog-a", "guessed"))}
    fog = [sys.executable, str(REPOSITORY / "spark_jobs" / "fog_node.py"), "--federation", "secured", "--fog", "fog-a"]
    started = subprocess.run(
        [*fog, "--federations", str(federations)],
        env={**wrong, "FOGLINE_FOG_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    for done in (produce(tmp_path, wrong, farm), started):
        assert done.returncode == 1
        lines = [line for line in done.stderr.splitlines() if "WARNING" not in line]
        assert len(lines) == 1, done.stderr
        assert f"Kafka at {secured.bootstrap_servers} and user fog-a don't come together" in lines[0]
        assert "put sasl.username and sasl.password right in the Airflow connection fogline_kafka, or" in lines[0]


def test_a_task_of_airflow_with_a_wrong_password_is_not_tried_again(secured: SecuredKafka) -> None:
    wrong = secured.config("airflow", "guessed")
    attempts: list[Callable[[], object]] = [
        lambda: Publisher(wrong).publish([Record(ROUND_PLANS, "k", b"x")]),
        lambda: ensure_topics(wrong),
        lambda: _partitions(wrong, MODEL_UPDATES),
    ]
    for attempt in attempts:
        with pytest.raises(KafkaAccessError, match=r"user airflow don't come together: .*Authentication failed"):
            attempt()
    assert not issubclass(KafkaAccessError, PASSING)


def test_a_broker_of_another_authority_is_not_talked_to(secured: SecuredKafka, tmp_path: Path) -> None:
    config = {name: value for name, value in secured.config("airflow").items() if name != "ssl.ca.location"}
    with pytest.raises(KafkaAccessError, match=r"certificate verify failed.*put ssl.ca.location right"):
        _partitions(config, MODEL_UPDATES)


def test_what_a_role_may_not_do_is_refused_and_the_acl_is_named(secured: SecuredKafka) -> None:
    with pytest.raises(KafkaAccessError, match=rf"{ROUND_PLANS} at .*authorization failed; give user fog-a the right"):
        Publisher(secured.config("fog-a")).publish([Record(ROUND_PLANS, "k", b"x")])
    with pytest.raises(KafkaAccessError, match=rf"topic {GLOBAL_MODEL} at .*give user producer the right by an ACL"):
        _partitions(secured.config("producer"), GLOBAL_MODEL)
    with pytest.raises(KafkaAccessError, match="give user airflow the right by an ACL"):
        ensure_topics(secured.config("airflow"), sensor_topics=["another"])
    assert _partitions(secured.config(ADMIN), GLOBAL_MODEL) == [0]


def _has_topics(kafka: SecuredKafka) -> bool:
    # The broker takes ACLs a moment before it goes by them.
    try:
        ensure_topics(kafka.config("setup"), sensor_topics=[TOPIC])
    except KafkaAccessError:
        return False
    return True


def _partitions(config: Mapping[str, str], topic: str) -> list[int]:
    with open_consumer(config) as consumer:
        return partitions_of(consumer, topic)
