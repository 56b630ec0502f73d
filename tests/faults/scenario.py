"""One run: open a shop, let a crowd in, let something go wrong, let it heal, let time pass, judge.

    async with run(folder, seed=7) as town:      # server, PostgreSQL, stand-in FCM, shop, crowd
        await town.server.kill()                 # whatever is to go wrong
        await town.server.start()
    # everybody has gone home, all time-outs have passed, and every promise was kept: else it raised

What a run draws follows from its seed. When exactly a signal meets the server does not: processes run as they
will. So a seed makes a failure likely to come again, and the places of `VICINO_FAULT` make it certain.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from server.app import Running, running
from server.clock import Clock, SystemClock, from_us
from server.config import Config
from tests.fakes import ManualClock
from tests.faults.crowd import Crowd, Outside
from tests.faults.invariants import Evidence, broken, evidence
from tests.faults.postgres import Postgres, SlowWire, postgres, slow_wire
from tests.faults.processes import Died, Fcm, Server
from tests.faults.town import Retailer, open_shops

PHONES = 12
RECOVERY_S = (
    180.0  #: after the last fault something is acknowledged again within this; far more than it takes
)
LOOK_S = 0.02
DRAIN_S = 240.0


Examiner = Callable[[Evidence], Awaitable[None]]


class PromiseBroken(AssertionError):  # noqa: N818 - it names what was found
    """What was found wrong after a run, with what is needed to have it again."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was about: a run in which nothing happened shows nothing."""

    seed: int
    fixes: int  #: acknowledged
    offers: int
    pushes: int  #: shown on a phone
    redeemed: int
    unanswered: int  #: requests that got no answer, or a 5xx
    slowest_s: float


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a server needs around it."""

    seed: int
    random: random.Random
    clock: Clock  #: the phones'
    stack: AsyncExitStack
    postgres: Postgres
    wire: SlowWire
    fcm: Fcm
    retailers: list[Retailer]
    environment: dict[str, str]


class Town(msgspec.Struct, kw_only=True):
    """Everything of a run."""

    around: Surroundings
    crowd: Crowd
    outside: Outside
    summary: Summary | None = None  #: once it was judged
    _server: Server | None = None

    @property
    def server(self) -> Server:
        """The process; there is none where the server runs inside."""
        assert self._server is not None
        return self._server

    @server.setter
    def server(self, server: Server) -> None:
        self._server = server

    @property
    def random(self) -> random.Random:
        return self.around.random

    @property
    def postgres(self) -> Postgres:
        return self.around.postgres

    @property
    def wire(self) -> SlowWire:
        return self.around.wire

    @property
    def fcm(self) -> Fcm:
        return self.around.fcm


@asynccontextmanager
async def run(
    folder: Path, *, seed: int, phones: int = PHONES, fault: str = "", examine: Examiner | None = None
) -> AsyncIterator[Town]:
    """The block is what goes wrong; the server runs when it ends. Raises PromiseBroken.

    `folder` holds a migrated PostgreSQL; `fault` is the first server's VICINO_FAULT. `examine` is given what
    was found, once it was found good.
    """
    async with surroundings(folder, seed, SystemClock()) as around:
        server = Server(around.environment, folder)
        around.stack.push_async_callback(server.end)
        await server.start(fault=fault)
        try:
            async with crowded(around, server.url, phones) as town:
                town.server = server
                yield town
        except TimeoutError as error:
            raise Died(f"seed {seed}: waited in vain; {await server.abort()}") from error
        await server.stop()
        town.summary = await judge(town, examine)


@asynccontextmanager
async def run_inside(folder: Path, *, seed: int, clock: Clock) -> AsyncIterator[Town]:
    """The same with the server in this process, by the given clock: for what no signal can do.

    Phones go by the time that it tells now, and on from there by the machine's clock.
    """
    phones_clock = Shifted(clock.now_us() - SystemClock().now_us())
    async with surroundings(folder, seed, phones_clock) as around:
        config = Config.from_env({**around.environment, "VICINO_PORT": "0"})
        async with running(config, clock=clock) as vicino, crowded(around, vicino.url, PHONES) as town:
            yield town
        town.summary = await judge(town)


class Shifted(SystemClock):
    """The machine's clock, and so many microseconds beside it."""

    def __init__(self, by_us: int = 0) -> None:
        self.by_us = by_us

    def now_us(self) -> int:
        return super().now_us() + self.by_us


@asynccontextmanager
async def surroundings(folder: Path, seed: int, clock: Clock) -> AsyncIterator[Surroundings]:
    """Everything but the server: PostgreSQL with the shops in it, the way to it, and the stand-in FCM."""
    chosen = random.Random(seed)
    async with AsyncExitStack() as stack:
        fcm = Fcm(folder)
        stack.push_async_callback(fcm.end)
        standing = asyncio.create_task(fcm.start("--seed", str(seed)))
        database = await stack.enter_async_context(postgres(folder))
        wire, url = await stack.enter_async_context(slow_wire(database, chosen))
        retailers = await open_shops(database.url, from_us(clock.now_us()))
        await standing
        environment = {
            "VICINO_DATABASE_URL": url,
            "VICINO_FCM_ENDPOINT": fcm.url,
            "VICINO_FCM_CREDENTIALS": str(fcm.credentials),
        }
        yield Surroundings(
            seed=seed,
            random=chosen,
            clock=clock,
            stack=stack,
            postgres=database,
            wire=wire,
            fcm=fcm,
            retailers=retailers,
            environment=environment,
        )


@asynccontextmanager
async def crowded(around: Surroundings, url: str, phones: int) -> AsyncIterator[Town]:
    """A crowd is there for the block; then things must get going again before everybody goes home."""
    outside = Outside()
    async with Crowd(
        [url], around.retailers, outside, around.clock, seed=around.seed, phones=phones
    ) as crowd:
        yield (town := Town(around=around, crowd=crowd, outside=outside))
        await town.crowd.until_taken(3 * phones, RECOVERY_S)


async def judge(town: Town, examine: Examiner | None = None) -> Summary:
    """Lets all time-outs pass, then asks whether every promise was kept. Raises PromiseBroken."""
    url = town.postgres.url
    clock = ManualClock(town.around.clock.now_us())
    await let_time_pass({**town.around.environment, "VICINO_DATABASE_URL": url}, clock)
    screens = await town.fcm.phones()
    async with evidence(url, town.outside, screens, town.around.retailers) as found:
        if wrong := await broken(found):
            told = "\n  ".join(wrong[:20])
            raise PromiseBroken(f"seed {town.around.seed}: {len(wrong)} promises were not kept\n  {told}")
        if examine is not None:
            await examine(found)
        [(offers, redeemed)] = await found.connection.fetch(
            "SELECT count(*), count(*) FILTER (WHERE status = 'redeemed') FROM coupons"
        )
    answers = town.outside.answers
    return Summary(
        seed=town.around.seed,
        fixes=town.outside.taken,
        offers=offers,
        pushes=sum(len(screen["appeared"]) for screen in screens.values()),
        redeemed=redeemed,
        unanswered=sum(count for status, count in answers.items() if status == 0 or status >= 500),
        slowest_s=round(town.outside.slowest_s, 2),
    )


async def let_time_pass(environment: Mapping[str, str], clock: ManualClock) -> None:
    """A server in this process, by a clock that skips to whatever is due next, until nothing is any more.

    Leases run out, retries come, dwells and time-outs fire, coupons expire: hours in a second.
    """
    config = Config.from_env({**environment, "VICINO_PORT": "0"})
    async with asyncio.timeout(DRAIN_S), running(config, clock=clock) as vicino:
        connection = await asyncpg.connect(vicino.database_url)
        try:
            while (due_us := await connection.fetchval(NEXT_PUSH)) is not None:
                clock.set(max(clock.now_us(), due_us + 1000))
                await _until_moved(connection, vicino, clock)
            clock.advance(3600)  # everybody has gone, all coupons are over
            for retailer_id in [
                row[0] for row in await connection.fetch("SELECT retailer_id FROM retailers")
            ]:
                await vicino.engine.upkeep.expire_coupons(retailer_id)
            while await connection.fetchval(TIMERS_DUE, clock.now_us()):
                await asyncio.sleep(LOOK_S)
        finally:
            await connection.close()


async def _until_moved(
    connection: "asyncpg.Connection[asyncpg.Record]", vicino: Running, clock: ManualClock
) -> None:
    """Waits until no push is due at this time any more."""
    vicino.relay.wake()
    while (due_us := await connection.fetchval(NEXT_PUSH)) is not None and due_us < clock.now_us():
        await asyncio.sleep(LOOK_S)


#: When the next push can be claimed, in microseconds; NULL: all are at an end.
NEXT_PUSH = """
SELECT (extract(epoch FROM min(due)) * 1000000)::bigint
FROM (
  SELECT CASE state WHEN 'pending' THEN due_at ELSE leased_until END AS due
  FROM outbox WHERE state IN ('pending', 'leased')
) AS unsent
"""

TIMERS_DUE = "SELECT EXISTS (SELECT FROM shoppers WHERE wake_at <= to_timestamp($1::bigint / 1000000.0))"
