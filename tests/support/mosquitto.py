"""A real MQTT broker: Debian's mosquitto on a port of the test's own, which can be stopped and started again."""

import getpass
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from fogline.stack.ports import free_ports, listening
from fogline.stack.settings import HOST
from fogline.stack.waiting import wait_until
from tests.support.debian import Program, program

DEADLINE_S = 60.0
CONFIGURATION = """\
user {user}
listener {port} {host}
persistence true
persistence_location {folder}/
max_queued_messages 0
"""


class Mosquitto:
    """A broker that keeps sessions and messages in a folder.

    Parameters
    ----------
    settings
        More lines of its configuration; without any, everybody may connect.
    """

    def __init__(self, folder: Path, tools: Path, settings: Sequence[str] = ("allow_anonymous true",)) -> None:
        folder.mkdir(parents=True)
        (self.port,) = free_ports(1)
        self._folder, self._settings = folder, settings
        self._program: Program = program(tools, "mosquitto", "usr/sbin/mosquitto")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it said."""
        return self._folder / "log"

    def start(self) -> None:
        """Start it and wait until it listens."""
        configuration = self._folder / "mosquitto.conf"
        text = CONFIGURATION.format(user=getpass.getuser(), port=self.port, host=HOST, folder=self._folder)
        configuration.write_text("\n".join([text, *self._settings, ""]))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(self._program.path), "-c", str(configuration), "-v"],
                env={**os.environ, **self._program.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: listening(self.port), what="mosquitto", deadline_s=DEADLINE_S, log=self.log)

    def stop(self) -> None:
        """Stop it; it writes down its sessions."""
        if self._process:
            self._process.terminate()
            self._process.wait(DEADLINE_S)
            self._process = None

    def says(self, text: str) -> bool:
        """Return whether its log has a text."""
        return text in self.log.read_text(errors="replace")


class Publisher:
    """A client that publishes at QoS 1 and waits until the broker has each message."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.max_inflight_messages_set(0)
        self._client.connect(HOST, port)
        self._client.loop_start()

    def publish(self, topic: str, *payloads: bytes) -> None:
        """Publish and wait for the broker."""
        sent = [self._client.publish(topic, payload, qos=1) for payload in payloads]
        for one in sent:
            one.wait_for_publish(DEADLINE_S)
            assert one.is_published()

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()
