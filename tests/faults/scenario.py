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
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from server.app import Running, running
from server.config import Config
from tests.fakes import ManualClock
from tests.faults.crowd import Crowd, Outside
from tests.faults.invariants import Evidence, broken, evidence
from tests.faults.postgres import Postgres, SlowWire, postgres, slow_wire
from tests.faults.processes import Fcm, Server
from tests.faults.town import Retailer, open_shops

PHONES = 12
RECOVERY_S = 45.0  #: after the last fault something is acknowledged again within this; far more than it takes
LOOK_S = 0.02
DRAIN_S = 60.0


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


class Town(msgspec.Struct, kw_only=True):
    """Everything of a run."""

    seed: int
    random: random.Random
    server: Server
    postgres: Postgres
    wire: SlowWire
    fcm: Fcm
    crowd: Crowd
    outside: Outside
    retailers: list[Retailer]
    summary: Summary | None = None  #: once it was judged


@asynccontextmanager
async def run(
    folder: Path,
    *,
    seed: int,
    phones: int = PHONES,
    fault: str = "",
    fcm: tuple[str, ...] = (),
    settings: Mapping[str, str] | None = None,
    examine: Examiner | None = None,
) -> AsyncIterator[Town]:
    """The block is what goes wrong; the server runs when it ends. Raises PromiseBroken.

    `folder` holds a migrated PostgreSQL; `fault` is the first server's VICINO_FAULT, `fcm` the stand-in's
    options, `settings` more of the server's. `examine` is given what was found, once it was found good.
    """
    chosen, outside = random.Random(seed), Outside()
    async with AsyncExitStack() as stack:
        standin = Fcm(folder)
        stack.push_async_callback(standin.end)
        standing = asyncio.create_task(standin.start("--seed", str(seed), *fcm))
        database = await stack.enter_async_context(postgres(folder))
        wire, url = await stack.enter_async_context(slow_wire(database, chosen))
        retailers = await open_shops(database.url)
        await standing
        environment = {
            "VICINO_DATABASE_URL": url,
            "VICINO_FCM_ENDPOINT": standin.url,
            "VICINO_FCM_CREDENTIALS": str(standin.credentials),
            **(settings or {}),
        }
        server = Server(environment, folder)
        stack.push_async_callback(server.end)
        await server.start(fault=fault)
        crowd = Crowd(server.url, retailers, outside, seed=seed, phones=phones)
        town = Town(
            seed=seed,
            random=chosen,
            server=server,
            postgres=database,
            wire=wire,
            fcm=standin,
            crowd=crowd,
            outside=outside,
            retailers=retailers,
        )
        async with crowd:
            yield town
            await crowd.until_taken(3 * phones, RECOVERY_S)
        await server.stop()
        town.summary = await judge(town, environment, examine)


async def judge(town: Town, environment: Mapping[str, str], examine: Examiner | None = None) -> Summary:
    """Lets all time-outs pass, then asks whether every promise was kept. Raises PromiseBroken."""
    url = town.postgres.url
    await let_time_pass({**environment, "VICINO_DATABASE_URL": url})
    screens = await town.fcm.phones()
    async with evidence(url, town.outside, screens, town.retailers) as found:
        if wrong := await broken(found):
            told = "\n  ".join(wrong[:20])
            raise PromiseBroken(f"seed {town.seed}: {len(wrong)} promises were not kept\n  {told}")
        if examine is not None:
            await examine(found)
        [(offers, redeemed)] = await found.connection.fetch(
            "SELECT count(*), count(*) FILTER (WHERE status = 'redeemed') FROM coupons"
        )
    answers = town.outside.answers
    return Summary(
        seed=town.seed,
        fixes=town.outside.taken,
        offers=offers,
        pushes=sum(len(screen["appeared"]) for screen in screens.values()),
        redeemed=redeemed,
        unanswered=sum(count for status, count in answers.items() if status == 0 or status >= 500),
        slowest_s=round(town.outside.slowest_s, 2),
    )


async def let_time_pass(environment: Mapping[str, str]) -> None:
    """A server in this process, by a clock that skips to whatever is due next, until nothing is any more.

    Leases run out, retries come, dwells and time-outs fire, coupons expire: hours in a second.
    """
    clock = ManualClock(time.time_ns() // 1000)
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
                await vicino.engine.expire_coupons(retailer_id)
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
