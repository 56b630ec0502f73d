"""Where Kafka is, and how a process gets in: its brokers, TLS, and SASL's user and password."""

import ssl
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.protocol.metadata import MetadataRequest

from server.config import Config
from server.errors import BadUse

PROBE_MS = 5_000  #: so long a broker is waited for that is only asked what is wrong


class Trouble(NamedTuple):
    """Why a broker does not let one in."""

    told: str
    remedy: str  #: names the setting

    def __str__(self) -> str:
        return f"{self.told}: {self.remedy}"


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """What all clients of one Kafka are given. Its representation names no password."""

    servers: str  #: bootstrap servers, with commas between
    tls: ssl.SSLContext | None = None
    certified: bool = False  #: whether a certificate of the client's is shown
    mechanism: str | None = None  #: of SASL
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Cluster({self.servers}, {self.protocol})"

    @classmethod
    def of(cls, config: Config) -> "Cluster":
        """That of the settings. Raises BadUse, which names what is missing or cannot be read."""
        if config.kafka is None:
            raise BadUse("set VICINO_KAFKA to Kafka's bootstrap servers: host:port, with commas between")
        context, certified = _tls(config), config.kafka_certificate is not None
        if config.kafka_user is None or config.kafka_password is None:
            if config.kafka_user or config.kafka_password:
                missing = "PASSWORD" if config.kafka_user else "USER"
                raise BadUse(f"VICINO_KAFKA_{missing}: SASL needs both a user and a password")
            return cls(servers=config.kafka, tls=context, certified=certified)
        if context is None and config.kafka_sasl == "PLAIN":
            raise BadUse(
                "VICINO_KAFKA_SASL: PLAIN tells the password as it is, so it needs VICINO_KAFKA_TLS=on"
            )
        return cls(
            servers=config.kafka,
            tls=context,
            certified=certified,
            mechanism=config.kafka_sasl,
            user=config.kafka_user,
            password=config.kafka_password,
        )

    @property
    def protocol(self) -> str:
        """In Kafka's words: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
        transport = "PLAINTEXT" if self.tls is None else "SSL"
        return transport if self.mechanism is None else f"SASL_{transport}"

    @property
    def client(self) -> dict[str, Any]:
        """What every client of aiokafka is made with."""
        return {"bootstrap_servers": self.servers, **self._security}

    @property
    def _security(self) -> dict[str, Any]:
        security: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.mechanism is not None:
            security["sasl_mechanism"] = self.mechanism
            security["sasl_plain_username"] = self.user
            security["sasl_plain_password"] = self.password
        return security

    async def trouble(self) -> Trouble | None:
        """Why a broker that is named here does not let one in; None where all do. aiokafka itself says only
        that it could not.
        """
        for address in self.servers.split(","):
            host, _, port = address.rpartition(":")
            try:
                broker = await create_conn(host, int(port), request_timeout_ms=PROBE_MS, **self._security)
                try:
                    await broker.send(MetadataRequest([]))
                finally:
                    broker.close()
            except (OSError, EOFError, KafkaError) as error:
                return self._trouble(address, error)
        return None

    def _trouble(self, address: str, error: Exception) -> Trouble:
        match error:
            case ssl.SSLCertVerificationError():
                told = f"its certificate is not believed ({error.verify_message})"
                remedy = "VICINO_KAFKA_CA names the file of who issued it; it must be for the host named here"
            case ssl.SSLError():
                told = f"no TLS came about ({error.reason})"
                remedy = "name its port for TLS in VICINO_KAFKA, or set VICINO_KAFKA_TLS=off"
            case SaslAuthenticationFailed():
                told = "it does not know this user with this password"
                remedy = "check VICINO_KAFKA_USER and VICINO_KAFKA_PASSWORD"
            case UnsupportedSaslMechanismError():
                told, remedy = f"it does not take {self.mechanism}", "set VICINO_KAFKA_SASL to what it takes"
            case ConnectionRefusedError():
                told, remedy = "nobody listens there", "check VICINO_KAFKA, and that the broker runs"
            case KafkaError() | EOFError() | ConnectionError():
                told, remedy = f"it hung up ({type(error).__name__})", self._wanted()
            case _:
                told = (str(error) or type(error).__name__).splitlines()[0]
                remedy = "check VICINO_KAFKA, and that the brokers advertise addresses you reach"
        return Trouble(f"{address}: {told}", remedy)

    def _wanted(self) -> str:
        """What a broker may want that hangs up on whoever speaks to it otherwise."""
        if self.tls is None:
            return (
                "where it wants TLS set VICINO_KAFKA_TLS=on, else name its port without TLS in VICINO_KAFKA"
            )
        asked = {
            "a user": ("VICINO_KAFKA_USER and VICINO_KAFKA_PASSWORD", self.mechanism is not None),
            "a client's certificate": ("VICINO_KAFKA_CERTIFICATE", self.certified),
        }
        remedies = [
            f"where it wants {what} set {names}" for what, (names, shown) in asked.items() if not shown
        ]
        return ", ".join([*remedies, "where it has no TLS there name its port for TLS in VICINO_KAFKA"])


def _tls(config: Config) -> ssl.SSLContext | None:
    if config.kafka_tls == "off":
        for name in ("ca", "certificate", "key"):
            if getattr(config, f"kafka_{name}") is not None:
                raise BadUse(f"VICINO_KAFKA_{name.upper()} is for TLS: set VICINO_KAFKA_TLS=on")
        return None
    if config.kafka_ca is not None:
        _readable("VICINO_KAFKA_CA", config.kafka_ca)
    try:
        context = ssl.create_default_context(cafile=config.kafka_ca)
    except ssl.SSLError:
        raise BadUse(f"VICINO_KAFKA_CA: {config.kafka_ca} holds no certificate (PEM)") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.kafka_certificate is None:
        if config.kafka_key is not None:
            raise BadUse("VICINO_KAFKA_CERTIFICATE: a key is of no use without its certificate")
        return context
    _readable("VICINO_KAFKA_CERTIFICATE", config.kafka_certificate)
    if config.kafka_key is not None:
        _readable("VICINO_KAFKA_KEY", config.kafka_key)
    try:
        # No password is asked for on a terminal: a server has none.
        context.load_cert_chain(config.kafka_certificate, config.kafka_key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise BadUse(
            "VICINO_KAFKA_CERTIFICATE, VICINO_KAFKA_KEY: they are no certificate and its key "
            f"(PEM, without a password): {getattr(error, 'reason', None) or error}"
        ) from None
    return context


def _readable(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise BadUse(f"{name}: {path} cannot be read ({error.strerror})") from None
