"""The configuration: every `VICINO_*` variable of the environment, its meaning and its default."""

import difflib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

import msgspec
from msgspec import Meta

from server.errors import BadUse

REPOSITORY = Path(__file__).resolve().parent.parent

_PREFIX = "VICINO_"
#: Read by the tests alone.
_TESTS_PREFIX = "VICINO_TEST_"

# The description completes "expected …" in the message about a bad value.
Port = Annotated[int, Meta(ge=0, le=65535, description="an integer from 0 to 65535 (0: any free port)")]
DatabaseUrl = Annotated[
    str, Meta(pattern="^postgres(ql)?://", description="postgresql://user:password@host:port/database")
]
HttpUrl = Annotated[
    str, Meta(pattern="^https?://[^/]", description="a URL that starts with http:// or https://")
]
Rate = Annotated[
    str,
    Meta(
        pattern=r"^(off|(\d{1,5}(\.\d{1,6})?|\.\d{1,6}),[1-9]\d{0,5})$",
        description="requests a second and how many at once, as 0.2,10; or off",
    ),
]
Tiles = Annotated[
    str,
    Meta(
        pattern=r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?/[!-~]*$",
        description="the URL of raster tiles, as https://tiles.example.org/{z}/{x}/{y}.png",
    ),
]
Connections = Annotated[int, Meta(ge=1, le=1_000_000, description="a number of connections, at least 1")]
Proxies = Annotated[
    str, Meta(pattern=r"^[0-9a-fA-F.:, ]+$|^none$", description="IP addresses, with commas between; or none")
]
JournalDays = Annotated[int, Meta(ge=1, le=30, description="a number of days from 1 to 30")]
Days = Annotated[int, Meta(ge=1, le=3650, description="a number of days from 1 to 3650")]
Kafka = Annotated[
    str, Meta(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$", description="host:port, with commas between")
]
Switch = Annotated[Literal["off", "on"], Meta(description="off or on")]
Sasl = Annotated[
    Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"],
    Meta(description="SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN"),
]
Topics = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,100}$", description="letters, digits, . _ and -")]
Limits = Annotated[Literal["busy", "always", "off"], Meta(description="busy, always or off")]
Fault = Annotated[str, Meta(pattern="^[a-z_]+:[1-9][0-9]*$", description="PLACE:N, as in before_commit:3")]
LogFormat = Annotated[Literal["text", "json"], Meta(description="text or json")]
LogLevel = Annotated[Literal["debug", "info", "warning"], Meta(description="debug, info or warning")]


class TileSource(msgspec.Struct, frozen=True, kw_only=True):
    """Raster tiles of another host."""

    url: str  #: with {z}, {x} and {y}
    credit: str

    @property
    def origin(self) -> str:
        """The host, as a browser's policy names it."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"


#: What a process does. Where the journal is in PostgreSQL, one does all.
Role = Literal["all", "edge", "engine", "push"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says. An empty variable counts as absent."""

    #: VICINO_DATABASE_URL: a PostgreSQL of 15 or newer; absent: an embedded one in `data_dir`.
    database_url: DatabaseUrl | None = None
    #: VICINO_DATA_DIR: where the embedded PostgreSQL keeps its data.
    data_dir: Path = REPOSITORY / ".vicino"
    #: VICINO_PG_BIN: the folder of the PostgreSQL programs to embed; absent: the wheel's, else the system's.
    pg_bin: Path | None = None
    #: VICINO_HOST: the address to listen on.
    host: str = "127.0.0.1"
    #: VICINO_PORT: the TCP port to listen on.
    port: Port = 8080
    #: VICINO_KAFKA: bootstrap servers of the Kafka that has the journal; absent: it is in PostgreSQL.
    kafka: Kafka | None = None
    #: VICINO_KAFKA_TOPICS: what the names of the topics begin with.
    kafka_topics: Topics = "vicino"
    #: VICINO_KAFKA_TLS: whether Kafka is spoken to by TLS.
    kafka_tls: Switch = "off"
    #: VICINO_KAFKA_CA: a PEM file of who issues the brokers' certificates; absent: whom the system trusts.
    kafka_ca: Path | None = None
    #: VICINO_KAFKA_CERTIFICATE: a PEM file with the certificate by which brokers know this client.
    kafka_certificate: Path | None = None
    #: VICINO_KAFKA_KEY: a PEM file with its key; absent: it is in the certificate's file.
    kafka_key: Path | None = None
    #: VICINO_KAFKA_USER: SASL's user; absent: none is told.
    kafka_user: str | None = None
    #: VICINO_KAFKA_PASSWORD: of that user.
    kafka_password: str | None = None
    #: VICINO_KAFKA_SASL: how the password is shown.
    kafka_sasl: Sasl = "SCRAM-SHA-512"
    #: VICINO_FCM_CREDENTIALS: a service-account file; absent: pushes go to the in-app inbox and the log.
    fcm_credentials: Path | None = None
    #: VICINO_FCM_ENDPOINT: the base URL of Firebase Cloud Messaging.
    fcm_endpoint: HttpUrl = "https://fcm.googleapis.com"
    #: VICINO_GEOCODER: base URL of a Nominatim that locates stores; absent: no address is looked up.
    geocoder: HttpUrl | None = None
    #: VICINO_TILES: raster tiles that browsers load for the console's map; absent: they ask no other host.
    tiles: Tiles | None = None
    #: VICINO_TILES_CREDIT: whom the map names as the source of these tiles.
    tiles_credit: str = ""
    #: VICINO_WEBHOOK_HOSTS: hosts, comma-separated, that webhooks may go to though they are private.
    webhook_hosts: str = ""
    #: VICINO_JOURNAL_DAYS: how many days before today the journal of positions is kept.
    journal_days: JournalDays = 1
    #: VICINO_ATTESTORS: verifiers of attestations, as NAME=MODULE:ATTRIBUTE with commas between.
    attestors: str = ""
    #: VICINO_ADDRESS_DAYS: how long a push address is good that no app confirms, of a device unheard of.
    address_days: Days = 60
    #: VICINO_VISITS_DAYS: how many days transitions and visits are kept.
    visits_days: Days = 90
    #: VICINO_DECISIONS_DAYS: how many days decisions with their receipts, inbox and outbox are kept.
    decisions_days: Days = 180
    #: VICINO_REDEMPTIONS_DAYS: how many days coupons are kept (13 months).
    redemptions_days: Days = 396
    #: VICINO_AUDIT_DAYS: how many days the receipts and keyed hashes of erasures are kept.
    audit_days: Days = 365
    #: VICINO_LIMITS: when the rates below hold: while there is too much to do, always, or never.
    limits: Limits = "busy"
    #: VICINO_LIMIT_DEVICE: what a device may send.
    limit_device: Rate = "0.2,10"
    #: VICINO_LIMIT_KEY: what may be sent with one app, server or till key.
    limit_key: Rate = "100,1000"
    #: VICINO_LIMIT_ADDRESS: what one IP address may send.
    limit_address: Rate = "100,1000"
    #: VICINO_PROXIES: reverse proxies in front, whose X-Forwarded-For is believed.
    proxies: Proxies = "127.0.0.1,::1"
    #: VICINO_CONNECTIONS: how many may be open.
    connections: Connections = 10_000
    #: VICINO_CONNECTIONS_PER_ADDRESS: how many of these one IP address may have, the proxies aside.
    connections_per_address: Connections = 500
    #: VICINO_LOG: the form of the log on standard error.
    log: LogFormat = "text"
    #: VICINO_LOG_LEVEL: the least that is logged.
    log_level: LogLevel = "info"
    #: VICINO_OTLP: base URL of an OpenTelemetry collector that traces are sent to; absent: there are none.
    otlp: HttpUrl | None = None
    #: VICINO_FAULT: where the process dies when it comes past for the n-th time (`server.crash`).
    fault: Fault | None = None

    @property
    def private_webhook_hosts(self) -> frozenset[str]:
        """The hosts of VICINO_WEBHOOK_HOSTS."""
        return frozenset(filter(None, (host.strip().lower() for host in self.webhook_hosts.split(","))))

    @property
    def proxy_addresses(self) -> frozenset[str]:
        """The proxies' addresses in their usual form. Raises BadUse."""
        try:
            texts = [] if self.proxies == "none" else self.proxies.split(",")
            return frozenset(str(ip_address(text.strip())) for text in texts)
        except ValueError as error:
            raise BadUse(f"VICINO_PROXIES: {error}") from None

    @property
    def tile_source(self) -> TileSource | None:
        """The console's tiles. Raises BadUse where the URL does not say where zoom, column and row go."""
        if self.tiles is None:
            return None
        missing = [part for part in ("{z}", "{x}", "{y}") if part not in self.tiles]
        if missing:
            raise BadUse(f"VICINO_TILES: it lacks {' and '.join(missing)}: as in /{{z}}/{{x}}/{{y}}.png")
        return TileSource(url=self.tiles, credit=self.tiles_credit)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """The configuration in `environ`. Raises BadUse for an unknown VICINO_* name or a wrong value."""
        types = get_type_hints(cls, include_extras=True)
        fields = {_PREFIX + field.upper(): field for field in types}
        values: dict[str, Any] = {}
        for name in sorted(environ):
            if not name.startswith(_PREFIX) or name.startswith(_TESTS_PREFIX):
                continue
            if name not in fields:
                raise BadUse(_unknown(name, list(fields)))
            if environ[name]:
                values[fields[name]] = _value(name, environ[name], types[fields[name]])
        return cls(**values)


def _value(name: str, text: str, expected: Any) -> Any:
    try:
        return msgspec.convert(text, expected, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        # The value itself stays unsaid: it may hold a password.
        raise BadUse(f"{name}: expected {_description(expected) or error}") from None


def _description(expected: Any) -> str | None:
    """The description of an annotated type, or of the first annotated part of a union."""
    for part in (expected, *getattr(expected, "__args__", ())):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, Meta):
                return meta.description
    return None


def _unknown(name: str, known: list[str]) -> str:
    suffixes = [other.removeprefix(_PREFIX) for other in known]
    near = difflib.get_close_matches(name.removeprefix(_PREFIX), suffixes, n=1)
    return f"{name}: no such setting" + (f"; did you mean {_PREFIX}{near[0]}?" if near else "")
