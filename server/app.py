"""The composition root: builds a running Vicino from a configuration. Importing it does nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import asyncpg
import msgspec
from aiohttp import web

from notifications.outbox import TERMINAL, PushRow, Settlement
from notifications.providers.base import Provider
from notifications.providers.fcm import FcmProvider
from notifications.providers.log import LogProvider
from server import crash
from server.accounts.sessions import Sessions
from server.api.guard import guarded, tell_failures
from server.api.plain_messages import PlainMessages
from server.api.route import SERVICES, Services, json_answer
from server.api.table import ROUTES, description
from server.attestation import Attestors, installed
from server.auth import Authenticator
from server.clock import Clock, SystemClock
from server.config import Config
from server.db import Database
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
from server.privacy.retention import Keep
from server.relay import Relay
from server.wanted import still_wanted
from server.webhooks.courier import Courier

SHUTDOWN_S = 5.0  #: how long running requests may take to end
VERSION = "0.1.0"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A Vicino that serves."""

    url: str  #: where it listens
    database_url: str
    database: Database
    engine: Engine
    relay: Relay


def create_app(services: Services) -> web.Application:
    """The HTTP application over running services."""
    app = web.Application(middlewares=[tell_failures], client_max_size=64 << 20)
    app[SERVICES] = services
    for route in ROUTES:
        app.router.add_route(route.method, route.path, guarded(route))
    app.on_shutdown.append(services.live.stop)
    described = description(VERSION)

    async def openapi(_: web.Request) -> web.Response:
        return json_answer(described)

    app.router.add_get("/openapi.json", openapi)
    return app


@asynccontextmanager
async def running(
    config: Config,
    *,
    clock: Clock | None = None,
    provider: Provider | None = None,
    attestors: Attestors | None = None,
    deadlines: Deadlines = Deadlines(),  # noqa: B008 - frozen
) -> AsyncIterator[Running]:
    """Everything from nothing: PostgreSQL, schema, engine, relay, HTTP. Stops in good order at the end.

    `clock`, `provider`, `attestors` and `deadlines` are for tests and the demo; without them the machine's
    clock, FCM where there are credentials, what `VICINO_ATTESTORS` names, and what the reference says.
    """
    clock = clock or SystemClock()
    crash.arm(config.fault)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database_url(config))
        await migrate(url)
        await _ensure_signing_key(url)
        database = await stack.enter_async_context(await Database.open(url))
        metrics = Metrics()
        room = Room(on_batch=metrics.batch)
        metrics.watch(room)
        relay = await stack.enter_async_context(_relaying(config, database, clock, metrics, provider))
        engine = await stack.enter_async_context(
            _engine(config, database, clock, url, relay=relay, metrics=metrics, room=room)
        )
        geocoder = None
        if config.geocoder is not None:
            geocoder = await stack.enter_async_context(Geocoder.open(config.geocoder, at_most=10))
        services = Services(
            database=database,
            engine=engine,
            auth=Authenticator(database, clock),
            clock=clock,
            metrics=metrics,
            intake=Intake(database, engine, clock, metrics, attestors or installed(config.attestors)),
            door=await stack.enter_async_context(_door(config, room, metrics)),
            geocoder=geocoder,
            sessions=Sessions(database, clock),
            live=Live(database),
            webhook_hosts=config.private_webhook_hosts,
        )
        await stack.enter_async_context(_telling(config, database, clock))
        address = await stack.enter_async_context(
            _listening(create_app(services), config, deadlines, metrics, PlainMessages(services).take)
        )
        yield Running(url=address, database_url=url, database=database, engine=engine, relay=relay)


@asynccontextmanager
async def _relaying(
    config: Config, database: Database, clock: Clock, metrics: Metrics, provider: Provider | None
) -> AsyncIterator[Relay]:
    """The relay at work, with the provider given, or FCM where there are credentials, or the log."""

    def observe(row: PushRow, settlement: Settlement) -> None:
        # A reason may go on after a colon with the provider's own words: no label for those.
        if settlement.state in TERMINAL:
            metrics.pushes.labels(settlement.state, (settlement.reason or "").partition(":")[0]).inc()
        if settlement.accepted_at_us is not None:
            metrics.accepted(row, settlement.accepted_at_us)

    async with AsyncExitStack() as stack:
        if provider is None and config.fcm_credentials is not None:
            opening = FcmProvider.open(
                config.fcm_credentials, endpoint=config.fcm_endpoint, now_us=clock.now_us
            )
            provider = await stack.enter_async_context(await opening)
        relay = Relay(
            database, provider or LogProvider(), clock, still_wanted=still_wanted(clock), observe=observe
        )
        task = asyncio.create_task(relay.run(), name="relay")
        try:
            yield relay
        finally:
            await relay.stop()
            await task


@asynccontextmanager
async def _telling(config: Config, database: Database, clock: Clock) -> AsyncIterator[None]:
    """The courier of webhooks at work."""
    courier = Courier(database, clock, private_hosts=config.private_webhook_hosts)
    task = asyncio.create_task(courier.run(), name="courier")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _engine(
    config: Config,
    database: Database,
    clock: Clock,
    url: str,
    *,
    relay: Relay,
    metrics: Metrics,
    room: Room,
) -> AsyncIterator[Engine]:
    engine = Engine(
        database,
        clock,
        journal_days=config.journal_days,
        keep=Keep(
            addresses=config.address_days,
            visits=config.visits_days,
            decisions=config.decisions_days,
            redemptions=config.redemptions_days,
            audit=config.audit_days,
        ),
        on_push=relay.wake,
        on_doubt=lambda reason: metrics.doubted.labels(reason).inc(),
        on_quarantine=metrics.quarantined,
        room=room,
    )
    await engine.start(url)
    try:
        yield engine
    finally:
        await engine.stop()


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
