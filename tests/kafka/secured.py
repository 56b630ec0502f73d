"""What a broker needs to be spoken to by TLS and SASL alone: certificates made here, and users."""

import datetime as dt
import ipaddress
from collections.abc import Mapping
from pathlib import Path

from aiokafka.conn import create_conn
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.faults.processes import free_port

USER, PASSWORD = "vicino", "correct horse battery"
#: Of Kafka's protocol.
TOPIC, GROUP, PREFIXED, ALLOW = 2, 3, 4, 3
READ, WRITE, CREATE, ALTER, DESCRIBE = 3, 4, 5, 7, 8
_JAAS = "org.apache.kafka.common.security"


class Issuer:
    """A certificate authority of its own, with its files in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        made = self._begin(self._name, self._key)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.ca = folder / f"{name}.pem"
        self.ca.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """The files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._begin(_name(name), key)
        if hosts:
            made = made.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host)) for host in hosts]),
                critical=False,
            )
        certificate, secret = self._folder / f"{name}-cert.pem", self._folder / f"{name}-key.pem"
        certificate.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        secret.chmod(0o600)
        return certificate, secret

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )


class Secured:
    """A broker's listener for TLS with SASL, and the one user that it knows. The brokers' own listener among
    themselves stays as it is.
    """

    def __init__(self, issuer: Issuer, *, client_certificates: bool = False) -> None:
        self.issuer = issuer
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        certificate, key = issuer.issue("broker", "127.0.0.1")
        self._store = certificate.with_name("broker.pem")
        self._store.write_bytes(key.read_bytes() + certificate.read_bytes())
        self._client_certificates = client_certificates

    @property
    def users(self) -> tuple[str, ...]:
        """What formats the storage with the user."""
        return ("--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]")

    def settings(self, others: Mapping[str, str]) -> dict[str, str]:
        """A broker's settings with the listener SECURED beside its others."""
        mine, here = "listener.name.secured", f"SECURED://{self.address}"
        return {
            **others,
            "listeners": f"{others['listeners']},{here}",
            "advertised.listeners": f"{others['advertised.listeners']},{here}",
            "listener.security.protocol.map": f"{others['listener.security.protocol.map']},SECURED:SASL_SSL",
            # Who comes by the other listeners may do everything, the user what `permit` says.
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.issuer.ca),
            f"{mine}.ssl.client.auth": "required" if self._client_certificates else "none",
            f"{mine}.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            f"{mine}.scram-sha-512.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
            f"{mine}.plain.sasl.jaas.config": (
                f'{_JAAS}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
        }


async def permit(server: str, prefix: str) -> None:
    """What docs/scale.md says that the user needs, of topics and groups whose names begin so."""
    host, _, port = server.rpartition(":")
    broker = await create_conn(host, int(port))
    try:
        wanted = [*((TOPIC, may) for may in (READ, WRITE, DESCRIBE, CREATE, ALTER)), (GROUP, READ)]
        for what, may in wanted:
            asked = CreateAclsRequest(what, prefix, PREFIXED, f"User:{USER}", "*", may, ALLOW)
            [(code, told)] = (await broker.send(asked)).creation_responses
            assert code == 0, told
    finally:
        broker.close()


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
