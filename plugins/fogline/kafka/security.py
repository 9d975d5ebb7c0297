"""Security settings: librdkafka's, which everybody writes, as Kafka's Java client in Spark wants them.

Kept are protocol, user and password (PLAIN, SCRAM), the authorities trusted and a client's certificate (PEM). Anything
else of ``sasl.*`` or ``ssl.*`` is refused by name: half a translation would fail later and less clearly, or be less
strict than was asked for.
"""

from pathlib import Path

from fogline.errors import FoglineError
from fogline.kafka.clients import ClientConfig

# Settings that name a PEM file, and those that hold its content. Only the content reaches other machines.
PEM_FILES = {
    "ssl.ca.location": "ssl.ca.pem",
    "ssl.certificate.location": "ssl.certificate.pem",
    "ssl.key.location": "ssl.key.pem",
}
LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_TRANSLATED = {
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.pem",
    "ssl.certificate.pem",
    "ssl.key.pem",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
}
# What Java reads; librdkafka reads also the older form of RSA keys.
_PKCS8 = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----")


class KafkaSettingsError(FoglineError):
    """A Kafka setting can't be used; the message names it and the remedy."""


def self_contained(config: ClientConfig) -> dict[str, str]:
    """Return a configuration that names no file of this machine, for a client on another.

    Raises
    ------
    KafkaSettingsError
        A file can't be read, or a value is no text, as a callback.
    """
    whole: dict[str, str] = {}
    for name, value in config.items():
        if not isinstance(value, str | int | float):
            raise KafkaSettingsError(f"{name} is no text or number, so it can't be handed to Spark; remove it")
        content = PEM_FILES.get(name)
        # librdkafka's word for "the system's authorities".
        if content and value != "probe":
            whole[content] = _pem(name, value)
        else:
            whole[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return whole


def java_settings(config: ClientConfig) -> dict[str, str]:
    """Return the settings of Kafka's Java client that say the same: address and security, no other.

    Raises
    ------
    KafkaSettingsError
        A setting of ``sasl.*`` or ``ssl.*`` has no translation, or a file can't be read.
    """
    config = self_contained(config)
    protocol = config.get("security.protocol", "plaintext").upper()
    translated = {"bootstrap.servers": config["bootstrap.servers"]}
    if protocol == "PLAINTEXT":
        return translated
    translated["security.protocol"] = protocol
    _refuse_others(config)
    if protocol.startswith("SASL"):
        translated |= _sasl(config)
    if protocol.endswith("SSL"):
        translated |= _ssl(config)
    return translated


def _refuse_others(config: ClientConfig) -> None:
    # True, and librdkafka's default: the Java client always verifies.
    harmless = {"enable.ssl.certificate.verification": "true", "ssl.ca.location": "probe"}
    for name, value in config.items():
        is_security = name.startswith(("sasl.", "ssl.", "enable.ssl.", "enable.sasl."))
        if is_security and name not in _TRANSLATED and harmless.get(name) != value:
            raise KafkaSettingsError(
                f"Kafka setting {name}={'…' if 'password' in name else value} has no counterpart in Spark's Kafka "
                "reader; use SASL with PLAIN or SCRAM, or a client certificate in PEM (ssl.certificate.location, "
                "ssl.key.location), and trust by ssl.ca.location"
            )


def _sasl(config: ClientConfig) -> dict[str, str]:
    mechanism = config.get("sasl.mechanism") or config.get("sasl.mechanisms") or "GSSAPI"
    if mechanism not in LOGIN_MODULES:
        raise KafkaSettingsError(
            f"Kafka setting sasl.mechanism={mechanism} has no counterpart here; use one of {', '.join(LOGIN_MODULES)}"
        )
    for name in ("sasl.username", "sasl.password"):
        if not config.get(name):
            raise KafkaSettingsError(f"Kafka setting {name} is missing; sasl.mechanism={mechanism} needs it")
    user, password = _quoted(config["sasl.username"]), _quoted(config["sasl.password"])
    login = f"{LOGIN_MODULES[mechanism]} required username={user} password={password};"
    return {"sasl.mechanism": mechanism, "sasl.jaas.config": login}


def _ssl(config: ClientConfig) -> dict[str, str]:
    translated: dict[str, str] = {}
    if "ssl.ca.pem" in config:
        translated |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": config["ssl.ca.pem"]}
    if "ssl.certificate.pem" in config or "ssl.key.pem" in config:
        translated |= _client_certificate(config)
    algorithm = config.get("ssl.endpoint.identification.algorithm")
    if algorithm is not None:
        translated["ssl.endpoint.identification.algorithm"] = "" if algorithm == "none" else algorithm
    return translated


def _client_certificate(config: ClientConfig) -> dict[str, str]:
    for name in ("ssl.certificate.pem", "ssl.key.pem"):
        if name not in config:
            missing = name.replace("pem", "location")
            raise KafkaSettingsError(f"Kafka setting {missing} is missing; a certificate and its key go together")
    key = config["ssl.key.pem"]
    if not any(head in key for head in _PKCS8):
        raise KafkaSettingsError(
            "the key of ssl.key.location is not in PKCS#8, the one form that Java reads; "
            "convert it with openssl pkcs8 -topk8 -in KEY -out NEW"
        )
    password = {"ssl.key.password": config["ssl.key.password"]} if "ssl.key.password" in config else {}
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": config["ssl.certificate.pem"],
        "ssl.keystore.key": key,
        **password,
    }


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _pem(name: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no PEM text"
        raise KafkaSettingsError(f"Kafka setting {name}={path}: {reason}; name a PEM file") from None
