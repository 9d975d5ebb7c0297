"""How to reach an MQTT broker: a session that outlives the connection, with TLS and password where asked for."""

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from producer.errors import ProducerError

# So many messages the broker sends ahead of an acknowledgement (MQTT 5; with 3.1.1 the broker's setting counts).
N_AHEAD = 1000
KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
# As long as the broker is willing to; MQTT 3.1.1 has no other way.
NEVER_EXPIRES = 0xFFFFFFFF

# From topic and payload to the key, None where the sensor can't be told.
SensorOf: TypeAlias = Callable[[str, bytes], bytes | None]


@dataclass(frozen=True)
class Tls:
    """Whom to trust (None: the machine's authorities) and the client's own certificate."""

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Session:
    """A session at a broker; the client id is its name there."""

    host: str
    port: int
    client_id: str
    is_version_5: bool = True
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    def client(self) -> mqtt.Client:
        """Make a client that acknowledges only what it is told to.

        Raises
        ------
        ProducerError
            A file of TLS can't be used.
        """
        # The argument is for 3.1.1 alone; version 5 says it at each connection.
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            self.client_id,
            None if self.is_version_5 else False,
            protocol=mqtt.MQTTv5 if self.is_version_5 else mqtt.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        if self.user is not None:
            client.username_pw_set(self.user, self.password)
        if self.tls:
            self._use_tls(client, self.tls)
        if self.is_version_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval, properties.ReceiveMaximum = NEVER_EXPIRES, N_AHEAD
            client.connect_async(self.host, self.port, KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            client.connect_async(self.host, self.port, KEEPALIVE_S)
        return client

    @staticmethod
    def _use_tls(client: mqtt.Client, tls: Tls) -> None:
        try:
            ca_file, certificate, key = (
                str(file) if file else None for file in (tls.ca_file, tls.certificate, tls.key)
            )
            client.tls_set(ca_file, certificate, key)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ProducerError(f"--ca-file, --certificate and --key can't be used for TLS: {error}") from error

    def __str__(self) -> str:
        """Name the broker."""
        return f"MQTT broker {self.host}:{self.port}"


def level_of_topic(number: int) -> SensorOf:
    """Take the sensor's id from a level of the MQTT topic, counted from 1."""

    def sensor(topic: str, _: bytes) -> bytes | None:
        levels = topic.split("/")
        return levels[number - 1].encode() or None if number <= len(levels) else None

    return sensor


def key_of_payload(name: str) -> SensorOf:
    """Take the sensor's id from a key of a JSON object; only a text is one, for it must equal the record's key."""

    def sensor(_: str, payload: bytes) -> bytes | None:
        try:
            reading = json.loads(payload)
            found = reading.get(name) if isinstance(reading, dict) else None
            return found.encode() or None if isinstance(found, str) else None
        except (ValueError, RecursionError):
            return None

    return sensor
