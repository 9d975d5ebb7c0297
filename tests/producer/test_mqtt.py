"""From a real MQTT broker to a real Kafka: what was published arrives, whoever is killed, stopped or full meanwhile."""

import socket
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fogline.kafka.topics import REPLAY_HEADER
from fogline.stack.kafka import Kafka
from fogline.stack.ports import free_ports
from fogline.stack.settings import HOST, Settings
from fogline.stack.stack import Stack
from producer.sources.mqtt_session import Session, key_of_payload, level_of_topic
from tests.producer.conftest import Live, drop_topic, make_topic, n_on_topic, records
from tests.support.debian import program
from tests.support.mosquitto import Mosquitto, Publisher
from tests.support.other_clusters import running
from tests.support.secured_kafka import Authority

KIBIBYTE = 1024


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "mosquitto", Settings().tools)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def publisher(mosquitto: Mosquitto) -> Iterator[Publisher]:
    made = Publisher(mosquitto.port)
    yield made
    made.close()


def mqtt(broker: Mosquitto, topic: str, *arguments: str) -> list[str]:
    here = ["mqtt", "--host", HOST, "--port", str(broker.port), "--topic-filter", "farm/+/readings"]
    return [*here, "--topic", topic, "--sensor-level", "2", *arguments]


def numbered(n_first: int, n_last: int, n_bytes: int = 0) -> list[bytes]:
    return [b"%06d" % number + bytes(n_bytes) for number in range(n_first, n_last)]


def in_order(values: list[bytes]) -> list[bytes]:
    """Leave out what came again."""
    return list(dict.fromkeys(values))


def values(servers: str, topic: str, sensor: bytes = b"t1") -> list[bytes]:
    return [record.value() or b"" for record in records(servers, topic) if record.key() == sensor]


def test_messages_arrive_byte_for_byte_and_keyed(
    kafka: str, topic: str, mosquitto: Mosquitto, publisher: Publisher, live: Live
) -> None:
    live.start(kafka, *mqtt(mosquitto, topic, "--replay", "--topic-filter", "farm"))
    live.await_said("connected to MQTT broker")
    publisher.publish("farm/t1/readings", b'{"sensor_id": "t1", "x": 1}', b"\x00\xff not JSON", b"")
    publisher.publish("farm/\u00e5/readings", b"2")
    publisher.publish("farm", b"of nobody")
    live.until(lambda: n_on_topic(kafka, topic) >= 5, "five records")
    live.stop()
    assert values(kafka, topic) == [b'{"sensor_id": "t1", "x": 1}', b"\x00\xff not JSON", b""]
    assert values(kafka, topic, "å".encode()) == [b"2"]
    (of_nobody,) = [record for record in records(kafka, topic) if record.key() is None]
    assert of_nobody.value() == b"of nobody" and of_nobody.headers() == [(REPLAY_HEADER, b"1")]
    assert "stopped: 5 readings received, 5 delivered" in live.said and "0 wait in the spool" in live.said


def test_killed_again_and_again_it_loses_nothing(
    kafka: str, topic: str, mosquitto: Mosquitto, publisher: Publisher, live: Live
) -> None:
    n_messages, sensors = 6000, ("t1", "t2")
    live.start(kafka, *mqtt(mosquitto, topic))
    live.await_said("connected to MQTT broker")
    live.kill()
    for sensor in sensors:
        publisher.publish(f"farm/{sensor}/readings", *numbered(0, n_messages))
    for share in (0.2, 0.6):
        live.start(kafka, *mqtt(mosquitto, topic))
        live.until(lambda share=share: n_on_topic(kafka, topic) > 2 * share * n_messages, "a share of the messages")
        live.kill()
    publisher.publish("farm/last/readings", b"")
    live.start(kafka, *mqtt(mosquitto, topic))
    live.until(lambda: values(kafka, topic, b"last") != [], "the last message")
    live.stop()
    for sensor in sensors:
        assert in_order(values(kafka, topic, sensor.encode())) == numbered(0, n_messages)


def test_a_broker_that_was_started_again_is_found_again(
    kafka: str, topic: str, mosquitto: Mosquitto, live: Live
) -> None:
    mosquitto.stop()
    arguments = mqtt(mosquitto, topic, "--protocol", "3.1.1")
    live.start(kafka, *arguments)
    live.await_said("can't be reached")
    for n_times in (1, 2):
        mosquitto.start()
        live.until(lambda n_times=n_times: live.said.count("connected to MQTT broker") == n_times, "the connection")
        publisher = Publisher(mosquitto.port)
        publisher.publish("farm/t1/readings", b"%d" % n_times)
        publisher.close()
        live.until(lambda n_times=n_times: n_on_topic(kafka, topic) == n_times, "the message")
        mosquitto.stop()
        live.await_said("is lost")
    assert live.metric("source_reconnects_total") == 1
    live.stop()
    assert "no session" not in live.said
    assert values(kafka, topic) == [b"1", b"2"]


@pytest.fixture
def own_kafka(session_stack: Stack, tmp_path: Path) -> Kafka:
    """A broker that a test may stop."""
    parts = session_stack.parts
    kafka = Kafka(tmp_path / "kafka", *free_ports(2), parts.java, parts.archives.kafka_jars, parts.archives.kafka)
    kafka.prepare()
    return kafka


def test_while_kafka_is_away_messages_wait_on_the_disk_and_keep_their_order(
    own_kafka: Kafka, mosquitto: Mosquitto, publisher: Publisher, live: Live, tmp_path: Path
) -> None:
    servers, topic = own_kafka.bootstrap_servers, "sensor-data"
    live.start(servers, *mqtt(mosquitto, topic))
    live.await_said(f"Kafka at {servers}: ")
    live.await_said("connected to MQTT broker")
    publisher.publish("farm/t1/readings", *numbered(0, 100))
    live.until(lambda: live.metric("spool_readings") == 100, "the spool")
    live.kill()
    live.start(servers, *mqtt(mosquitto, topic))
    live.await_said("100 readings wait")
    log = tmp_path / "kafka.log"
    with running(own_kafka.command(), log):
        live.until(own_kafka.ready, "Kafka")
        live.await_said(f"topic {topic}: Kafka at {servers} has no such topic")
        make_topic(servers, topic)
        live.until(lambda: n_on_topic(servers, topic) >= 100, "what had waited")
        live.until(lambda: live.metric("spool_readings") == 0, "an empty spool")
    publisher.publish("farm/t1/readings", *numbered(100, 200))
    live.until(lambda: live.metric("spool_readings") == 100, "the spool")
    with running(own_kafka.command(), log):
        live.until(own_kafka.ready, "Kafka")
        live.until(lambda: n_on_topic(servers, topic) >= 200, "what had waited")
        live.await_said("takes readings again")
        live.stop()
        assert in_order(values(servers, topic)) == numbered(0, 200)


def test_a_full_spool_leaves_the_rest_with_the_broker(
    kafka: str, topic: str, mosquitto: Mosquitto, publisher: Publisher, live: Live
) -> None:
    n_messages = 4000
    bounded = mqtt(mosquitto, topic, "--spool-max-bytes", str(KIBIBYTE**2))
    with socket.socket() as unserved:
        unserved.bind((HOST, 0))
        live.start(f"{HOST}:{unserved.getsockname()[1]}", *bounded)
        live.await_said("connected to MQTT broker")
        publisher.publish("farm/t1/readings", *numbered(0, n_messages, KIBIBYTE))
        live.await_said("nothing more is taken until Kafka has taken some")
        assert live.metric("spool_used_ratio") >= 1
        n_spooled = live.metric("spool_readings")
        assert 0.5 * KIBIBYTE < n_spooled < 2 * KIBIBYTE
        live.stop()
    live.start(kafka, *bounded)
    live.until(lambda: n_on_topic(kafka, topic) >= n_messages, "all messages")
    live.until(lambda: live.metric("spool_readings") == 0, "an empty spool")
    live.stop()
    assert in_order(values(kafka, topic)) == numbered(0, n_messages, KIBIBYTE)
    assert (live.state / f"{topic}-mqtt.spool").stat().st_size < 3 * KIBIBYTE**2


def test_what_kafka_never_takes_is_set_aside_and_the_rest_goes_on(
    kafka: str, mosquitto: Mosquitto, publisher: Publisher, live: Live
) -> None:
    topic = f"producer-{uuid.uuid4().hex[:8]}"
    make_topic(kafka, topic, **{"max.message.bytes": "3000"})
    live.start(kafka, *mqtt(mosquitto, topic))
    live.await_said("connected to MQTT broker")
    live.kill()
    # So many at once are more than Kafka takes in one request, and each alone is not.
    rest = numbered(1, 200, 200)
    publisher.publish("farm/t1/readings", b"0" * 4000, *rest)
    live.start(kafka, *mqtt(mosquitto, topic))
    live.until(lambda: n_on_topic(kafka, topic) >= len(rest), "the rest")
    live.until(lambda: live.metric("refused_readings") == 1, "what is set aside")
    assert live.metric("delivery_errors_total") == 1
    live.stop()
    assert sorted(values(kafka, topic)) == rest
    assert "does not take a reading of t1 with 4000 bytes: " in live.said
    with sqlite3.connect(live.state / f"{topic}-mqtt.spool") as spool:
        assert spool.execute("SELECT value FROM refused").fetchall() == [(b"0" * 4000,)]
    drop_topic(kafka, topic)


def test_a_changed_filter_gives_up_the_former_one(
    kafka: str, topic: str, mosquitto: Mosquitto, publisher: Publisher, live: Live
) -> None:
    live.start(kafka, *mqtt(mosquitto, topic, "--topic-filter", "old/+"))
    live.until(lambda: mosquitto.says("Sending SUBACK to fogline-producer"), "the subscription")
    live.stop()
    changed = mqtt(mosquitto, topic, "--topic-filter", "new/+")
    live.start(kafka, *changed)
    live.until(lambda: mosquitto.says("Sending UNSUBACK to fogline-producer"), "the end of the former one")
    publisher.publish("old/t1", b"old")
    publisher.publish("new/t1", b"new")
    live.until(lambda: n_on_topic(kafka, topic) > 0, "the message")
    live.stop()
    assert values(kafka, topic) == [b"new"]


def test_a_filter_that_is_none_and_a_client_id_that_is_taken_are_said(mosquitto: Mosquitto, live: Live) -> None:
    servers = f"{HOST}:{free_ports(1)[0]}"
    live.start(servers, *mqtt(mosquitto, "sensor-data", "--topic-filter", "farm/#/readings"))
    assert "--topic-filter farm/+/readings farm/#/readings: Invalid subscription filter; give one as" in live.fails()
    live.start(servers, *mqtt(mosquitto, "sensor-data"))
    live.await_said("connected to MQTT broker")
    other = Session(HOST, mosquitto.port, "fogline-producer").client()
    other.reconnect()
    other.loop_start()
    live.await_said("has another client the same --client-id?")
    other.disconnect()
    other.loop_stop()
    live.stop()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker with TLS that lets user edge in."""
    authority = Authority(tmp_path / "certificates")
    certificate, key = authority.issue("broker")
    tools, passwords = Settings().tools, tmp_path / "passwords"
    passwd = program(tools, "mosquitto", "usr/bin/mosquitto_passwd")
    command = [str(passwd.path), "-b", "-c", str(passwords), "edge", "right"]
    subprocess.run(command, env=passwd.environment, check=True, capture_output=True)
    settings = [f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}", f"password_file {passwords}"]
    broker = Mosquitto(tmp_path / "mosquitto", tools, settings)
    broker.start()
    yield broker
    broker.stop()


def test_tls_and_passwords(secured: Mosquitto, live: Live, tmp_path: Path) -> None:
    servers = f"{HOST}:{free_ports(1)[0]}"
    asked = mqtt(secured, "sensor-data", "--user", "edge")
    trusting = [*asked, "--ca-file", str(tmp_path / "certificates" / "ca.pem")]
    live.start(servers, *trusting, FOGLINE_MQTT_PASSWORD="right")
    live.await_said("connected to MQTT broker")
    live.stop()
    (tmp_path / "password").write_text("wrong\n")
    live.start(servers, *trusting, "--password-file", str(tmp_path / "password"))
    refused = live.fails()
    place = f"Error: MQTT broker {HOST}:{secured.port}: it refuses client fogline-producer"
    assert refused in (f"{place} (Not authorized)", f"{place} (Bad user name or password)")
    live.start(servers, *asked, "--tls", FOGLINE_MQTT_PASSWORD="right")
    assert "its certificate is not trusted" in live.fails()


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        (b'{"id": "t1", "x": [1]}', b"t1"),
        (b'\xef\xbb\xbf{"id": "\\u00e5"}', "å".encode()),
        (b'{"id": 7}', None),
        (b'{"id": ""}', None),
        (b'{"x": 1}', None),
        (b'["id"]', None),
        (b'{"id": "\\ud800"}', None),
        (b"[" * 100_000, None),
        (b"\xff\xfe\x00", None),
        (b"", None),
    ],
)
def test_the_sensor_is_told_from_a_key_of_the_payload(payload: bytes, key: bytes | None) -> None:
    assert key_of_payload("id")("farm/t9", payload) == key


@pytest.mark.parametrize(("level", "key"), [(1, b"farm"), (2, b"t1"), (3, None), (4, None)])
def test_the_sensor_is_told_from_a_level_of_the_topic(level: int, key: bytes | None) -> None:
    assert level_of_topic(level)("farm/t1/", b"{}") == key
