"""Kafka's settings as options of Spark's reader, and what keeps secrets among them out of Spark's records."""

from fogline.kafka.clients import ClientConfig
from fogline.kafka.security import java_settings

# Over Spark's own: a login and a key in PEM are not called password. What matches is hidden in plans and event logs.
_SECRET = "(?i)secret|password|token|access[.]?key|jaas|keystore|ssl[.]key"
REDACTION = {"spark.redaction.regex": _SECRET, "spark.sql.redaction.options.regex": f"{_SECRET}|url"}


def kafka_options(config: ClientConfig) -> dict[str, str]:
    """Return options for ``format("kafka")``: address and security.

    Raises
    ------
    KafkaSettingsError
        A setting has no counterpart in the Java client.
    """
    return {f"kafka.{name}": value for name, value in java_settings(config).items()}
