"""The composition root: builds a running Vicino from a configuration. Importing it does nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import asyncpg
import msgspec
from aiohttp import web

from notifications.providers.base import Provider
from server import crash
from server.accounts.sessions import Sessions
from server.api.guard import guarded, tell_failures, tell_operators, unguarded
from server.api.headers import guard_answer
from server.api.plain_messages import PlainMessages
from server.api.route import OPERATIONS, SERVICES, Operations, Services, Standings, json_answer
from server.api.table import OPERATORS, ROUTES, description
from server.attestation import Attestors, installed
from server.auth import Authenticator
from server.clock import Clock, SystemClock
from server.config import Config, Role
from server.db import Database
from server.desk import Desk
from server.doctor.advice import Adviser
from server.edge.connection import Caps, Deadlines, Doorman, PlainRequests, listen
from server.edge.door import Door, DoorRules
from server.edge.lag import LoopLag
from server.edge.limits import Rate
from server.edge.room import Room
from server.engine import Engine
from server.errors import BadUse
from server.ids import new_id
from server.imports import Geocoder
from server.intake import Intake
from server.live import Live
from server.metrics import Metrics
from server.migrate import migrate
from server.postgres import database_url
from server.privacy.export import Elsewhere
from server.relay import Relay
from server.whatif.jobs import Jobs
from server.working import Process, deciding, relaying

SHUTDOWN_S = 5.0  #: how long running requests may take to end
COPY_S = 30.0  #: how long Kafka may be looked through for a shopper's copy while her app waits
HANGS_S = 4.0  #: a transaction of one of several processes in which nothing happens for so long is ended
VERSION = "0.1.0"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A Vicino that serves."""

    url: str  #: where it listens
    database_url: str
    database: Database
    engine: Engine | None  #: None where the journal is in Kafka
    relay: Relay | None  #: None where it is not this process's role


def create_app(services: Services, operations: Operations) -> web.Application:
    """The HTTP application of an edge, over running services."""
    app = web.Application(middlewares=[tell_failures], client_max_size=64 << 20)
    app[SERVICES], app[OPERATIONS] = services, operations
    for route in ROUTES:
        app.router.add_route(route.method, route.path, guarded(route))
    app.on_response_prepare.append(guard_answer)
    app.on_shutdown.extend((services.live.stop, services.what_ifs.stop))
    described = description(VERSION)

    async def openapi(_: web.Request) -> web.Response:
        return json_answer(described)

    app.router.add_get("/openapi.json", openapi)
    return app


def operators_app(operations: Operations) -> web.Application:
    """The HTTP application of a process that is no edge: is it alive, is it ready, how is it doing."""
    app = web.Application(middlewares=[tell_operators])
    app[OPERATIONS] = operations
    for route in OPERATORS:
        app.router.add_route(route.method, route.path, unguarded(route))
    return app


@asynccontextmanager
async def running(
    config: Config,
    *,
    role: Role = "all",
    clock: Clock | None = None,
    provider: Provider | None = None,
    attestors: Attestors | None = None,
    deadlines: Deadlines = Deadlines(),  # noqa: B008 - frozen
) -> AsyncIterator[Running]:
    """Everything from nothing: PostgreSQL, schema, engine, relay, HTTP, or what of these is the role's. Stops
    in good order at the end. Raises BadUse where the role needs Kafka and there is none.

    `clock`, `provider`, `attestors` and `deadlines` are for tests and the demo; without them the machine's
    clock, FCM where there are credentials, what `VICINO_ATTESTORS` names, and what the reference says.
    """
    if role != "all" and config.kafka is None:
        raise BadUse(f"--role {role} is for a journal in Kafka: set VICINO_KAFKA")
    crash.arm(config.fault)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database_url(config))
        await migrate(url)
        await _ensure_signing_key(url)
        hangs_s = None if config.kafka is None else HANGS_S
        metrics = Metrics()
        process = Process(
            config=config,
            role=role,
            database=await stack.enter_async_context(await Database.open(url, idle_s=hangs_s)),
            database_url=url,
            clock=clock or SystemClock(),
            metrics=metrics,
            room=Room(on_batch=metrics.batch),
            ready={},
        )
        metrics.watch(process.room)
        relay = desk = engine = None
        if role in {"all", "push"}:
            relay = await stack.enter_async_context(relaying(process, provider))
        if role != "push":
            on_push = _nobody if relay is None else relay.wake
            desk, engine = await stack.enter_async_context(deciding(process, on_push))
        operations = Operations(database=process.database, metrics=metrics, ready=process.ready)
        if desk is not None and role != "engine":
            services = await stack.enter_async_context(_services(process, desk, attestors))
            app = create_app(services, operations)
            plain: PlainRequests = PlainMessages(services).take
        else:
            app, plain = operators_app(operations), _nothing_plain
        address = await stack.enter_async_context(_listening(app, config, deadlines, metrics, plain))
        yield Running(url=address, database_url=url, database=process.database, engine=engine, relay=relay)


def _nothing_plain(*_: object) -> bool:
    """A process that is no edge takes no pings."""
    return False


def _nobody(_retailer_id: str) -> None:
    """Relays of other processes hear of pushes from the database."""


@asynccontextmanager
async def _services(process: Process, desk: Desk, attestors: Attestors | None) -> AsyncIterator[Services]:
    """What the handlers of an edge work with."""
    config, database, clock, metrics = process.config, process.database, process.clock, process.metrics
    async with AsyncExitStack() as stack:
        geocoder = None
        if config.geocoder is not None:
            geocoder = await stack.enter_async_context(Geocoder.open(config.geocoder, at_most=10))
        yield Services(
            database=database,
            engine=desk,
            auth=Authenticator(database, clock),
            clock=clock,
            metrics=metrics,
            intake=Intake(database, desk, clock, metrics, attestors or installed(config.attestors)),
            door=await stack.enter_async_context(_door(config, process.room, metrics)),
            geocoder=geocoder,
            sessions=Sessions(database, clock),
            live=Live(database),
            what_ifs=Jobs(process.database_url),
            adviser=Adviser(process.database_url),
            elsewhere=_elsewhere(process),
            partitions=_partitions(process),
            tiles=config.tile_source,
            webhook_hosts=config.private_webhook_hosts,
        )


def _elsewhere(process: Process) -> Elsewhere | None:
    config = process.config
    if config.kafka is None:
        return None
    # What is for Kafka alone is read in where the journal is there: a start waits for it.
    from server.kafka.cluster import Cluster  # noqa: PLC0415
    from server.kafka.hers import Hers  # noqa: PLC0415
    from server.kafka.topics import Topics  # noqa: PLC0415

    cluster, topics = Cluster.of(config), Topics(config.kafka_topics)
    return Hers(cluster, topics, process.database, process.clock, within_s=COPY_S).inputs


def _partitions(process: Process) -> Standings | None:
    if process.config.kafka is None:
        return None
    from server.kafka.cluster import Cluster  # noqa: PLC0415
    from server.kafka.topics import Topics, noted_standings  # noqa: PLC0415

    cluster, topics = Cluster.of(process.config), Topics(process.config.kafka_topics)
    return partial(noted_standings, process.database, cluster, topics)


@asynccontextmanager
async def _door(config: Config, room: Room, metrics: Metrics) -> AsyncIterator[Door]:
    """The door, with the loop's lag watched."""
    rules = DoorRules(
        limits=config.limits,
        device=Rate.of(config.limit_device),
        key=Rate.of(config.limit_key),
        address=Rate.of(config.limit_address),
        proxies=config.proxy_addresses,
    )
    lag = LoopLag(metrics.loop_lag.observe)
    watch = asyncio.create_task(lag.watch(), name="lag")
    try:
        yield Door(rules, room=room, lag=lag, on_refused=metrics.refused_for)
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


@asynccontextmanager
async def _listening(
    app: web.Application, config: Config, deadlines: Deadlines, metrics: Metrics, plain: PlainRequests
) -> AsyncIterator[str]:
    """The application on its port; the address as a URL. Raises BadUse where the port is taken."""
    caps = Caps(
        total=config.connections,
        per_address=config.connections_per_address,
        trusted=config.proxy_addresses,
    )
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        assert runner.server is not None
        doorman = Doorman(caps, deadlines, on_refused=metrics.refused_for, plain=plain)
        try:
            listener = await listen(runner.server, doorman, config.host, config.port)
        except OSError as error:
            raise BadUse(
                f"cannot listen on {config.host}:{config.port} ({error.strerror}): choose another VICINO_PORT"
            ) from error
        try:
            yield listener.url
        finally:
            await listener.close()
    finally:
        await runner.cleanup()


async def _ensure_signing_key(url: str) -> None:
    """The installation's first key for access tokens. The owner writes it; the server only reads."""
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(
            "INSERT INTO signing_keys (kid, secret) "
            "SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM signing_keys)",
            new_id("kid"),
            secrets.token_bytes(32),
        )
    finally:
        await connection.close()
