"""The parts of a running Vicino, each at work for as long as its block lasts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from notifications.outbox import TERMINAL, PushRow, Settlement
from notifications.providers.base import Provider
from notifications.providers.fcm import FcmProvider
from notifications.providers.log import LogProvider
from server.clock import Clock
from server.config import Config, Role
from server.db import Database
from server.desk import Desk
from server.edge.room import Room
from server.engine import Engine
from server.errors import BadUse, VicinoError
from server.metrics import Metrics
from server.privacy.retention import Keep
from server.publish import CHANNEL
from server.relay import Relay
from server.unlearning import Unlearning
from server.upkeep import SWEEP_S, Upkeep
from server.wanted import still_wanted
from server.watch import PUSHES, Watch
from server.webhooks.courier import Courier

if TYPE_CHECKING:  # what is for Kafka alone is read in where the journal is there: a start waits for it
    from server.kafka.desk import KafkaDesk
    from server.kafka.member import Member
    from server.tracing import Traces


class KafkaAway(VicinoError):  # noqa: N818 - it names what was found
    """Kafka cannot be reached."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What all parts of a process work with."""

    config: Config
    role: Role
    database: Database
    database_url: str
    clock: Clock
    metrics: Metrics
    room: Room
    ready: dict[str, Callable[[], bool]]  #: which of the parts are at work, by name


@asynccontextmanager
async def relaying(process: Process, provider: Provider | None) -> AsyncIterator[Relay]:
    """The relay at work, with the provider given, or FCM where there are credentials, or the log; and the
    courier of webhooks.
    """
    config, database, clock, metrics = process.config, process.database, process.clock, process.metrics

    traces: Traces | None = None

    def observe(row: PushRow, settlement: Settlement) -> None:
        # A reason may go on after a colon with the provider's own words: no label for those.
        if settlement.state in TERMINAL:
            metrics.pushes.labels(settlement.state, (settlement.reason or "").partition(":")[0]).inc()
        if settlement.accepted_at_us is not None:
            metrics.accepted(row, settlement.accepted_at_us)
            if traces is not None:
                traces.told(row, settlement.accepted_at_us)

    async with AsyncExitStack() as stack:
        if config.otlp is not None:
            traces = await stack.enter_async_context(_tracing(config.otlp))
        if provider is None and config.fcm_credentials is not None:
            opening = FcmProvider.open(
                config.fcm_credentials, endpoint=config.fcm_endpoint, now_us=clock.now_us
            )
            provider = await stack.enter_async_context(await opening)
        relay = Relay(
            database, provider or LogProvider(), clock, still_wanted=still_wanted(clock), observe=observe
        )
        courier = Courier(database, clock, private_hosts=config.private_webhook_hosts)
        await stack.enter_async_context(_beside(courier.run(), "courier"))
        if config.kafka is not None:
            watch = Watch(process.database_url, {PUSHES: lambda _: relay.wake()})
            await stack.enter_async_context(_beside(watch.run(), "pushes"))
        task = asyncio.create_task(relay.run(), name="relay")
        process.ready["relay"] = lambda: not task.done()
        try:
            yield relay
        finally:
            await relay.stop()
            await task


def _tracing(endpoint: str) -> AbstractAsyncContextManager["Traces"]:
    """Traces, which are an extra. Raises BadUse where what they need is not installed."""
    try:
        from server.tracing import tracing  # noqa: PLC0415 - only who wants traces has what it imports
    except ImportError:
        raise BadUse(
            "VICINO_OTLP needs OpenTelemetry: "
            ".venv/bin/uv pip install --require-hashes -r requirements/otel.txt"
        ) from None
    return tracing(endpoint)


@asynccontextmanager
async def deciding(
    process: Process, on_push: Callable[[str], None]
) -> AsyncIterator[tuple[Desk, Engine | None]]:
    """Where inputs are handed in, with what decides on them: the engine of this process, or through Kafka
    that of this one or of others.
    """
    if process.config.kafka is None:
        async with _engine(process, on_push) as engine:
            process.ready["engine"] = lambda: engine.ready
            yield engine, engine
        return
    async with _desk(process) as desk, AsyncExitStack() as stack:
        process.ready["desk"] = lambda: desk.ready
        if process.role != "edge":
            member = await stack.enter_async_context(_member(process, desk, on_push))
            process.ready["engine"] = lambda: member.ready
        yield desk, None


@asynccontextmanager
async def _engine(process: Process, on_push: Callable[[str], None]) -> AsyncIterator[Engine]:
    engine = Engine(
        process.database,
        process.clock,
        journal_days=process.config.journal_days,
        keep=_keep(process.config),
        on_push=on_push,
        on_doubt=lambda reason: process.metrics.doubted.labels(reason).inc(),
        on_quarantine=process.metrics.quarantined,
        room=process.room,
    )
    await engine.start(process.database_url)
    try:
        yield engine
    finally:
        await engine.stop()


@asynccontextmanager
async def _desk(process: Process) -> "AsyncIterator[KafkaDesk]":
    """An edge's desk. Raises KafkaAway."""
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - see above

    from server.kafka.cluster import Cluster  # noqa: PLC0415
    from server.kafka.desk import KafkaDesk  # noqa: PLC0415
    from server.kafka.topics import Topics  # noqa: PLC0415

    cluster, topics = Cluster.of(process.config), Topics(process.config.kafka_topics)
    desk = KafkaDesk(cluster, topics, process.database, process.clock, process.database_url)
    try:
        try:
            await desk.start()
        except KafkaError as error:
            raise KafkaAway(f"Kafka cannot be used at {await cluster.trouble() or error}") from error
        yield desk
    finally:
        await desk.stop()


@asynccontextmanager
async def _member(
    process: Process, desk: "KafkaDesk", on_push: Callable[[str], None]
) -> "AsyncIterator[Member]":
    """An engine among several; and the upkeep of the installation, if it is this process's turn."""
    from server.kafka.cluster import Cluster  # noqa: PLC0415
    from server.kafka.member import Member  # noqa: PLC0415
    from server.kafka.topics import Topics  # noqa: PLC0415

    config, clock = process.config, process.clock
    member = Member(
        Cluster.of(config),
        Topics(config.kafka_topics),
        process.database,
        clock,
        room=process.room,
        on_push=on_push,
        on_doubt=lambda reason: process.metrics.doubted.labels(reason).inc(),
        on_quarantine=process.metrics.quarantined,
        on_lag=process.metrics.lag,
    )
    upkeep = Upkeep(
        process.database,
        clock,
        journal_days=config.journal_days,
        keep=_keep(config),
        submit=desk.submit,
    )
    unlearning = Unlearning(process.database, clock, journal_days=config.journal_days)
    listeners = {CHANNEL: member.published}
    watch = Watch(process.database_url, listeners, on_version=member.published, upkeep=True)

    async def keep_up() -> None:
        while True:
            if watch.keeps_up:
                await upkeep.sweep(desk.finish_erasures, unlearning.sweep)
            await asyncio.sleep(SWEEP_S)

    async with _beside(watch.run(), "watch"), _beside(keep_up(), "upkeep"):
        try:
            await member.start()
            yield member
        finally:
            await member.stop()


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Work that goes on beside everything else."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _keep(config: Config) -> Keep:
    return Keep(
        addresses=config.address_days,
        visits=config.visits_days,
        decisions=config.decisions_days,
        redemptions=config.redemptions_days,
        audit=config.audit_days,
    )
