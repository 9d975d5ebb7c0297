"""Readings from an MQTT broker, byte for byte; each is acknowledged only when it lies in the spool.

One thread receives, stores and acknowledges in turn: no acknowledgement goes out on another connection than its own.
"""

import json
import logging
import ssl
import time
from collections.abc import Sequence
from threading import Event
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from producer.errors import ProducerError
from producer.live import Intake
from producer.sources.mqtt_session import N_AHEAD, SensorOf, Session

log = logging.getLogger(__name__)

# One flush to the disk is shared by so many messages, if they come so fast.
N_AT_ONCE = N_AHEAD // 2
# Beyond it nothing is read from the connection. Only QoS 0, or a broker that sends ahead without bound, gets there.
N_HELD = 2 * N_AHEAD
N_BYTES_HELD = 64 * 2**20
LOOK_EVERY_S = 0.2
FIRST_RETRY_S, LAST_RETRY_S = 0.25, 30.0
# A connection that was lost so soon is not tried again at once.
SHORT_S = 5.0
# What a client is subscribed to, by its id.
FILTERS = "filters of {}"

# Of MQTT 5; the client gives the older codes the same numbers.
UNSUPPORTED_PROTOCOL = 0x84
TRY_LATER = (0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F)
TAKEN_OVER = 0x8E


class MqttSource:
    """The messages of a persistent session, at QoS 1.

    Parameters
    ----------
    filters
        The topics to subscribe to; what an earlier run of the same spool subscribed to besides is given up.
    sensor_of
        The key of a message.
    """

    name = "mqtt"

    def __init__(self, session: Session, filters: Sequence[str], sensor_of: SensorOf) -> None:
        self._session, self._filters, self._sensor_of = session, list(filters), sensor_of
        self._held: list[mqtt.MQTTMessage] = []
        self._n_bytes_held = 0
        self._is_connected = self._was_connected = False
        self._is_short, self._connected_at = True, time.monotonic()
        self._fault: ProducerError | None = None
        self._said = ""
        self._filters_name = FILTERS.format(session.client_id)
        self._client = session.client()
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def run(self, intake: Intake, stop: Event) -> None:
        """Receive until stopped, and connect again whenever the broker is lost.

        Raises
        ------
        ProducerError
            The broker refuses this client or a topic filter.
        """
        self._intake = intake
        retry_s = FIRST_RETRY_S
        while not stop.is_set():
            self._is_connected, self._is_short = False, True
            if self._connect():
                self._receive(stop)
            if self._fault:
                raise self._fault
            retry_s = min(2 * retry_s, LAST_RETRY_S) if self._is_short else FIRST_RETRY_S
            stop.wait(retry_s)
        self._hand_over()
        self._client.disconnect()

    def _connect(self) -> bool:
        try:
            self._client.reconnect()
        except ssl.SSLCertVerificationError as error:
            self._refuse(f"its certificate is not trusted ({error.verify_message}); put --ca-file or --host right")
        except OSError as error:
            self._say(f"{self._session} can't be reached ({error}); trying on")
        else:
            return True
        return False

    def _receive(self, stop: Event) -> None:
        may_be_more = False
        while not (stop.is_set() or self._fault):
            n_before = len(self._held)
            if n_before < N_HELD and self._n_bytes_held < N_BYTES_HELD:
                code = self._client.loop(0.0 if may_be_more else LOOK_EVERY_S)
            else:
                self._intake.spool.wait_for_room(LOOK_EVERY_S)
                code = self._client.loop_misc()
            may_be_more = n_before < len(self._held) < N_AT_ONCE
            if not may_be_more:
                self._hand_over()
            if code != mqtt.MQTT_ERR_SUCCESS:
                return

    def _hand_over(self) -> None:
        if not self._held or not self._intake.put([self._keyed(message) for message in self._held]):
            return
        taken, self._held, self._n_bytes_held = self._held, [], 0
        for message in taken:
            self._client.ack(message.mid, message.qos)

    def _keyed(self, message: mqtt.MQTTMessage) -> tuple[bytes | None, bytes]:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return None, bytes(message.payload)
        return self._sensor_of(topic, bytes(message.payload)), bytes(message.payload)

    def _on_message(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        self._held.append(message)
        self._n_bytes_held += len(message.payload)

    def _on_connect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, __: Any) -> None:
        if reason.is_failure:
            remedy = "; give --protocol 3.1.1" if reason.value == UNSUPPORTED_PROTOCOL else ""
            if reason.value in TRY_LATER or self._was_connected:
                self._say(f"{self._session} refuses the connection ({reason}); trying on")
            else:
                self._refuse(f"it refuses client {self._session.client_id} ({reason}){remedy}")
            return
        if self._was_connected:
            self._intake.metrics.reconnected()
        former = self._intake.spool.positions().get(self._filters_name)
        if former is not None and not flags.session_present:
            log.warning(
                "%s has no session of client %s any more: what was sent while it was not connected is lost there; "
                "does the broker keep sessions on its disk?",
                *(self._session, self._session.client_id),
            )
        self._is_connected, self._was_connected, self._said = True, True, ""
        self._connected_at = time.monotonic()
        log.info("connected to %s as %s; topics %s", self._session, self._session.client_id, ", ".join(self._filters))
        if given_up := sorted(set(json.loads(former or "[]")) - set(self._filters)):
            client.unsubscribe(given_up)
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        wanted = [(topic, options if self._session.is_version_5 else 1) for topic in self._filters]
        try:
            client.subscribe(wanted)  # type: ignore[arg-type]
        except ValueError as error:
            filters, reason = " ".join(self._filters), str(error).rstrip(".")
            self._refuse(f"--topic-filter {filters}: {reason}; give one as farm/+/readings or farm/#")

    def _on_subscribe(self, _: mqtt.Client, __: Any, ___: int, reasons: list[Any], ____: Any) -> None:
        for topic, reason in zip(self._filters, reasons, strict=False):
            if reason.is_failure:
                self._refuse(f"it refuses --topic-filter {topic} ({reason}); may user {self._session.user} read it?")
            elif reason.value == 0:
                log.warning("%s grants %s at QoS 0 only: what is sent while it is lost is lost", self._session, topic)
        if not self._fault:
            self._intake.put([], {self._filters_name: json.dumps(self._filters)})

    def _on_disconnect(self, _: mqtt.Client, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        # The broker sends what is not acknowledged once more, except at QoS 0.
        self._held = [message for message in self._held if message.qos == 0]
        self._n_bytes_held = sum(len(message.payload) for message in self._held)
        self._is_short = time.monotonic() - self._connected_at < SHORT_S
        if self._is_connected and reason.is_failure:
            # Not every broker says why; one that was lost at once was perhaps taken over.
            hint = "; has another client the same --client-id?" if self._is_short or reason.value == TAKEN_OVER else ""
            self._say(f"{self._session} is lost ({reason}){hint}; trying on")

    def _refuse(self, reason: str) -> None:
        self._fault = ProducerError(f"{self._session}: {reason}")

    def _say(self, trouble: str) -> None:
        if trouble != self._said:
            self._said = trouble
            log.warning("%s", trouble)
