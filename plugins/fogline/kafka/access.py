"""What keeps a client out: told apart from a broker that is away, because waiting does not help."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from fogline.errors import FoglineError

ClientConfig = Mapping[str, str]

# Address, and a file of further settings, of the cloud's broker; EDGE_PREFIX is for the fog's own.
CLOUD_PREFIX, EDGE_PREFIX = "FOGLINE_KAFKA", "FOGLINE_EDGE_KAFKA"
SOURCES = f"the Airflow connection fogline_kafka, or the file that {CLOUD_PREFIX}_CONFIG or {EDGE_PREFIX}_CONFIG names"
# Nothing is ever committed under it, but librdkafka asks for its coordinator.
GROUP = "fogline-assigned"
# Between two looks at what the error callback was told.
LOOK_EVERY_S = 0.5
_UNAUTHORISED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
_UNKNOWN = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


class KafkaLayerError(FoglineError):
    """Kafka does not answer, refuses, or no longer holds what was asked for."""


class UnknownTopicError(KafkaLayerError):
    """There is no such topic; it may be made yet."""


class KafkaAccessError(FoglineError):
    """Kafka does not let this client in, or not at a topic; trying again changes nothing."""


class Watch:
    """What a client's error callback was told: the last error, and why the broker will never let this client in."""

    def __init__(self, config: ClientConfig, on_error: Callable[[KafkaError], None] | None = None) -> None:
        self.last = ""
        self.refusal: str | None = None
        self._on_error = on_error
        self._servers, self._user = config.get("bootstrap.servers", "?"), config.get("sasl.username")

    def __call__(self, error: KafkaError) -> None:
        """Take what librdkafka tells."""
        self.last = error.str()
        untrusted = error.code() == KafkaError._SSL and "certificate verify failed" in self.last
        if error.code() == KafkaError._AUTHENTICATION or untrusted:
            remedy = "ssl.ca.location" if untrusted else "sasl.username and sasl.password"
            who = f"user {self._user}" if self._user else "this client"
            self.refusal = (
                f"Kafka at {self._servers} and {who} don't come together: {self.last}; put {remedy} right in {SOURCES}"
            )
        if self._on_error:
            self._on_error(error)

    def check(self) -> None:
        """Do nothing if all may still be well.

        Raises
        ------
        KafkaAccessError
            The broker refused user and password, or is not trusted.
        """
        if self.refusal:
            raise KafkaAccessError(self.refusal)

    def fault(self, place: str, error: KafkaError) -> FoglineError:
        """Return the exception for an error at a topic."""
        if error.code() in _UNAUTHORISED:
            who = f"user {self._user}" if self._user else "this client"
            if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                place = f"consumer group {GROUP}"
            return KafkaAccessError(
                f"{place} at {self._servers}: {error.str()}; give {who} the right by an ACL (docs/deploy.md), "
                f"or another user in {SOURCES}"
            )
        kind = UnknownTopicError if error.code() in _UNKNOWN else KafkaLayerError
        return kind(f"{place}: {error.str()}")

    def ask(self, question: Callable[[float], Any], serve: Callable[[], object], timeout_s: float) -> Any:
        """Ask the broker, ending early when it refuses this client for good.

        Raises
        ------
        KafkaAccessError
            It does.
        KafkaException
            It does not answer within ``timeout_s``.
        """
        until = time.monotonic() + timeout_s
        while True:
            try:
                return question(max(min(LOOK_EVERY_S, until - time.monotonic()), 0.01))
            except KafkaException:
                # The error callback is called here and nowhere else.
                serve()
                self.check()
                if time.monotonic() >= until:
                    raise
