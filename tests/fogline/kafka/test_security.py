"""librdkafka's security settings in the words of Kafka's Java client."""

from pathlib import Path

import pytest

from fogline.kafka.clients import KafkaAccessError, config_from_environment, make_producer
from fogline.kafka.security import KafkaSettingsError, java_settings, self_contained
from spark_jobs.kafka_options import kafka_options

SERVERS = {"bootstrap.servers": "b:9093"}
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
LOGIN = {"sasl.username": "fog-1", "sasl.password": "p"}
KEY = "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, str]:
    for name, content in {"ca": "the authority", "cert": "the certificate", "key": KEY}.items():
        (tmp_path / name).write_text(content)
    return {name: str(tmp_path / name) for name in ("ca", "cert", "key")}


@pytest.mark.parametrize(
    ("ours", "java"),
    [
        ({}, {}),
        ({"security.protocol": "plaintext", **LOGIN, "client.id": "x"}, {}),
        (
            {"security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512", **LOGIN},
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.jaas.config": f'{SCRAM} username="fog-1" password="p";',
            },
        ),
        (
            {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "PLAIN", **LOGIN, "sasl.password": 'a"b\\c'},
            {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required "
                'username="fog-1" password="a\\"b\\\\c";',
            },
        ),
        (
            {"security.protocol": "ssl", "ssl.ca.location": "{ca}"},
            {
                "security.protocol": "SSL",
                "ssl.truststore.type": "PEM",
                "ssl.truststore.certificates": "the authority",
            },
        ),
        (
            {
                "security.protocol": "ssl",
                "ssl.certificate.location": "{cert}",
                "ssl.key.location": "{key}",
                "ssl.key.password": "k",
                "ssl.endpoint.identification.algorithm": "none",
            },
            {
                "security.protocol": "SSL",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.certificate.chain": "the certificate",
                "ssl.keystore.key": KEY,
                "ssl.key.password": "k",
                "ssl.endpoint.identification.algorithm": "",
            },
        ),
        (
            {"security.protocol": "ssl", "ssl.ca.location": "probe", "enable.ssl.certificate.verification": "true"},
            {"security.protocol": "SSL"},
        ),
    ],
    ids=["open", "plaintext", "scram", "plain, quoted", "authority", "client certificate", "the system's authorities"],
)
def test_each_setting_has_its_counterpart(ours: dict[str, str], java: dict[str, str], pem: dict[str, str]) -> None:
    config = {**SERVERS, **{name: value.format(**pem) for name, value in ours.items()}}
    assert java_settings(config) == {**SERVERS, **java}
    assert kafka_options(config) == {f"kafka.{name}": value for name, value in {**SERVERS, **java}.items()}


@pytest.mark.parametrize(
    ("ours", "says"),
    [
        ({"security.protocol": "sasl_ssl", **LOGIN}, "sasl.mechanism=GSSAPI has no counterpart here; use one of PLAIN"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN"}, "sasl.username is missing"),
        ({"security.protocol": "ssl", "ssl.keystore.location": "k.p12"}, "ssl.keystore.location=k.p12 has no count"),
        ({"security.protocol": "ssl", "enable.ssl.certificate.verification": "false"}, "verification=false has no c"),
        ({"security.protocol": "ssl", "ssl.keystore.password": "s3"}, "ssl.keystore.password=… has no counterpart"),
        ({"security.protocol": "ssl", "ssl.certificate.location": "{cert}"}, "ssl.key.location is missing"),
        (
            {"security.protocol": "ssl", "ssl.certificate.location": "{cert}", "ssl.key.location": "{cert}"},
            "not in PKCS#8, the one form that Java reads; convert it with openssl",
        ),
        ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere"}, "ssl.ca.location=/nowhere: No such file"),
    ],
)
def test_what_has_none_is_refused_by_name(ours: dict[str, str], says: str, pem: dict[str, str]) -> None:
    config = {**SERVERS, **{name: value.format(**pem) for name, value in ours.items()}}
    with pytest.raises(KafkaSettingsError) as refused:
        java_settings(config)
    assert says in str(refused.value) and "s3" not in str(refused.value)


def test_what_goes_to_other_machines_names_no_file(pem: dict[str, str]) -> None:
    config = {**SERVERS, "ssl.ca.location": pem["ca"], "ssl.key.location": pem["key"]}
    assert self_contained(config) == {**SERVERS, "ssl.ca.pem": "the authority", "ssl.key.pem": KEY}
    with pytest.raises(KafkaSettingsError, match="oauth_cb is no text or number"):
        self_contained({**SERVERS, "oauth_cb": print})  # type: ignore[dict-item]


def test_settings_come_from_a_file_and_the_address_from_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kafka.json"
    file.write_text('{"bootstrap.servers": "b:9093", "security.protocol": "ssl"}')
    monkeypatch.setenv("FOGLINE_KAFKA_CONFIG", str(file))
    monkeypatch.delenv("FOGLINE_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    assert config_from_environment() == {"bootstrap.servers": "b:9093", "security.protocol": "ssl"}
    monkeypatch.setenv("FOGLINE_KAFKA_BOOTSTRAP_SERVERS", "other:1")
    assert config_from_environment()["bootstrap.servers"] == "other:1"
    for content, says in (("{", "is no JSON"), ("[]", "holds no JSON object")):
        file.write_text(content)
        with pytest.raises(KafkaAccessError, match=says):
            config_from_environment()
    monkeypatch.setenv("FOGLINE_KAFKA_CONFIG", "/nowhere.json")
    with pytest.raises(KafkaAccessError, match=r"FOGLINE_KAFKA_CONFIG=/nowhere.json: No such file"):
        config_from_environment()


def test_a_misspelt_setting_is_named_with_where_it_may_stand() -> None:
    with pytest.raises(KafkaAccessError, match=r'property: "sasl.usernme".*the Airflow connection fogline_kafka, or'):
        make_producer({**SERVERS, "sasl.usernme": "x"}, idempotent=False, delivery_timeout_s=1)
