"""A broker as operations teams run it: TLS, SCRAM users or client certificates, and nothing allowed without an ACL."""

import argparse
import contextlib
import datetime as dt
import ipaddress
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fogline.kafka.clients import KafkaAccessError, KafkaLayerError
from fogline.kafka.read import open_consumer
from fogline.stack.errors import StackError
from fogline.stack.java import Java
from fogline.stack.kafka import Kafka
from fogline.stack.ports import free_ports
from fogline.stack.settings import HOST
from fogline.stack.waiting import wait_until
from tests.support.other_clusters import running

ADMIN = "admin"
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=SASL_SSL://{host}:{port},MTLS://{host}:{mtls_port},CONTROLLER://{host}:{controller_port}
advertised.listeners=SASL_SSL://{host}:{port},MTLS://{host}:{mtls_port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,MTLS:SSL,CONTROLLER:SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=MTLS
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={broker}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.mtls.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{admin};User:broker
early.start.listeners=CONTROLLER
auto.create.topics.enable=false
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
"""


class Authority:
    """A certificate authority whose files lie in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.file = folder, folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        self.file.write_text(_pem(certificate.sign(self._key, hashes.SHA256())))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the files of a new certificate, for a server here and for a client, and of its key in PKCS#8."""
        key = ec.generate_private_key(ec.SECP256R1())
        places = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
            .add_extension(x509.SubjectAlternativeName(places), False)
            .add_extension(x509.ExtendedKeyUsage(usages), False)
            .sign(self._key, hashes.SHA256())
        )
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_text(_pem(certificate))
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        files[1].write_text(key.private_bytes(serialization.Encoding.PEM, *form).decode())
        return files

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )


class SecuredKafka(Kafka):
    """A Kafka 4.1 broker with a listener for SCRAM users and one for client certificates.

    Parameters
    ----------
    users
        Passwords by name; `ADMIN` is added and may do everything.
    """

    def __init__(self, folder: Path, java: Java, jars: list[Path], archive: Path, users: Mapping[str, str]) -> None:
        port, controller_port, self.mtls_port = free_ports(3)
        super().__init__(folder, port, controller_port, java, jars, archive)
        self.users = {**users, ADMIN: "the admin's"}
        self.authority = Authority(folder / "certificates")

    def prepare(self) -> None:
        """Write the configuration and format the data folder with the users in it."""
        certificate, key = self.authority.issue("broker")
        whole = self.folder / "broker.pem"
        whole.write_text(key.read_text() + certificate.read_text() + self.authority.file.read_text())
        self._properties.write_text(
            PROPERTIES.format(
                host=HOST,
                port=self.port,
                mtls_port=self.mtls_port,
                controller_port=self.controller_port,
                broker=whole,
                authority=self.authority.file,
                admin=ADMIN,
                data=self.folder / "data",
            )
        )
        users = [f"SCRAM-SHA-512=[name={name},password={password}]" for name, password in self.users.items()]
        options = [part for user in users for part in ("--add-scram", user)]
        identity = ["-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c", str(self._properties)]
        command = self._java("kafka.tools.StorageTool", "format", *identity, *options)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise StackError(f"the data folder could not be formatted: {done.stdout}{done.stderr}")

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Run the broker until the end of the block."""
        self.prepare()
        log = self.folder / "log"
        with running(self.command(), log):
            wait_until(self.ready, what="the secured broker", deadline_s=60, log=log)
            yield

    def ready(self) -> bool:
        """Return whether the admin is let in; a new broker takes a moment to know its users."""
        try:
            with open_consumer(self.config(ADMIN)) as consumer:
                consumer.list_topics(timeout=2)
        except (KafkaLayerError, KafkaAccessError):
            return False
        return True

    def config(self, user: str, password: str | None = None) -> dict[str, str]:
        """Return a user's client configuration, as in Airflow's connection."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": "sasl_ssl",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.users[user] if password is None else password,
            "ssl.ca.location": str(self.authority.file),
        }

    def certified_config(self, user: str) -> dict[str, str]:
        """Return a client configuration with a new certificate instead of a password."""
        certificate, key = self.authority.issue(user)
        return {
            "bootstrap.servers": f"{HOST}:{self.mtls_port}",
            "security.protocol": "ssl",
            "ssl.ca.location": str(self.authority.file),
            "ssl.certificate.location": str(certificate),
            "ssl.key.location": str(key),
        }

    def allow(self, text: str, names: Mapping[str, str]) -> None:
        """Make the ACLs of the ``kafka-acls --add`` commands in a text, with names in them replaced.

        The command itself is in no jar that is fetched here, so its options are read as it reads them.
        """
        parser = argparse.ArgumentParser()
        parser.add_argument("--add", action="store_true")
        for option in ("--allow-principal", "--operation", "--topic", "--group"):
            parser.add_argument(option, action="append", default=[])
        parser.add_argument("--cluster", action="store_true")
        parser.add_argument("--resource-pattern-type", default="literal")
        bindings = []
        for command in re.findall(r"^kafka-acls \$ADMIN (.*)", text.replace("\\\n", " "), flags=re.MULTILINE):
            asked = parser.parse_args([names.get(word, word) for word in shlex.split(command)])
            pattern = ResourcePatternType[asked.resource_pattern_type.upper()]
            resources = [(ResourceType.TOPIC, name) for name in asked.topic]
            resources += [(ResourceType.GROUP, name) for name in asked.group]
            resources += [(ResourceType.BROKER, "kafka-cluster")] if asked.cluster else []
            for kind, name in resources:
                for operation in asked.operation:
                    where = (kind, name, pattern, asked.allow_principal[0], "*")
                    what = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()]
                    bindings.append(AclBinding(*where, what, AclPermissionType.ALLOW))
        admin = AdminClient(self.config(ADMIN))
        for created in admin.create_acls(bindings).values():
            created.result(30)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
