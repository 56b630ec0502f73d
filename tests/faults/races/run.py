"""A race: some attempts over HTTP, most through lanes in several processes, with kills amid both."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from server.db import Database
from server.migrate import migrate
from server.postgres import EmbeddedPostgres
from tests.conftest import KILL_PROOF
from tests.faults.postgres import Postgres, postgres
from tests.faults.processes import Server
from tests.faults.races.judged import judged
from tests.faults.races.lanes import AT_ONCE, Start
from tests.faults.races.over_http import TIMEOUT_S, OverHttp
from tests.faults.races.processes import Racers
from tests.faults.races.town import OFFERS, WAVE, open_shops
from tests.faults.races.visit import TRIES, Told, visit

PARTS, PROCESSES = 4, 2
HTTP_SHARE = 50  #: of so many attempts one is over HTTP
HTTP_AT_ONCE = 32
KILLS = 4  #: of a process with lanes or the server, and of all of PostgreSQL, in turn, on each way
CHECK_S = 0.05
Kill = Callable[[], Awaitable[None]]
Advance = Callable[[int], None]
Given = tuple[int, int, int]  #: coupons issued and redeemed, and budgets used up


class Raced(msgspec.Struct, frozen=True, kw_only=True):
    """What a race came to; that it came to an end says that every promise was kept."""

    attempts: int  #: to reserve and to redeem, those included of which no answer came
    over_http: int  #: of these
    undone: int  #: those of which no answer came
    issued: int
    redeemed: int
    used_up: int  #: budgets from which the last coupon was given
    kills: int
    took_s: float


async def raced_alone(attempts: int, *, seed: int = 1, on_done: Advance = lambda _: None) -> Raced:
    """The same on a database of its own, which is made first and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vicino-races-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs
        async with EmbeddedPostgres(folder, settings=KILL_PROOF, say=lambda _: None) as server:
            await migrate(server.url)
        return await raced(folder, attempts, seed=seed, on_done=on_done)


async def raced(folder: Path, attempts: int, *, seed: int = 1, on_done: Advance = lambda _: None) -> Raced:
    """Lets so many attempts (and some more: whole waves) race on the migrated database in `folder`.

    Raises AssertionError where a budget was overspent, a coupon worked twice, or a ledger does not add up.
    """
    began, chosen = time.monotonic(), random.Random(seed)
    async with postgres(folder) as server:
        race = _Race(server, folder, chosen)
        http, over_http = await race.over_http(attempts // HTTP_SHARE, on_done)
        rest = attempts - http.attempts
        lanes, through = await race.through_lanes(rest, lambda done: on_done(http.attempts + done))
    issued, redeemed, used_up = (sum(both) for both in zip(over_http, through, strict=True))
    return Raced(
        attempts=http.attempts + lanes.attempts,
        over_http=http.attempts,
        undone=http.undone + lanes.undone,
        issued=issued,
        redeemed=redeemed,
        used_up=used_up,
        kills=2 * KILLS,
        took_s=round(time.monotonic() - began, 1),
    )


class _Race:
    """One after the other, by each way."""

    def __init__(self, server: Postgres, folder: Path, chosen: random.Random) -> None:
        self._server, self._folder, self._chosen = server, folder, chosen

    async def over_http(self, attempts: int, on_done: Advance) -> tuple[Told, Given]:
        """By the whole product, which is killed and started again."""
        told, (keys, shoppers) = Told(), await self._shop(attempts, HTTP_AT_ONCE)
        left = iter(range(shoppers))

        async def people(way: OverHttp) -> None:
            for shopper in left:
                told.add(await visit(way, shopper))
                on_done(told.attempts)

        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with (
            self._serving() as serve,
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session,
        ):

            async def restart() -> None:
                await serve.kill()
                await serve.start()

            async with self._killing(restart, told, attempts):
                way = OverHttp(session, serve.url, keys)
                await asyncio.gather(*(people(way) for _ in range(HTTP_AT_ONCE)))
            await serve.stop()
        return told, await judged(self._server.url, keys, told, 1, shoppers)

    async def through_lanes(self, attempts: int, on_done: Advance) -> tuple[Told, Given]:
        """By lanes of several parts in several processes, any of which is killed."""
        told, (keys, shoppers) = Told(), await self._shop(attempts, PARTS * AT_ONCE)
        starts = [
            Start(
                database_url=self._server.url,
                retailer_id=keys["retailer_id"],
                parts=PARTS,
                next={part: part for part in range(number, PARTS, PROCESSES)},
                shoppers=shoppers,
            )
            for number in range(PROCESSES)
        ]
        log = self._folder / "racers.log"
        racers = [Racers(start, log, told, lambda: on_done(told.attempts)) for start in starts]

        async def one_of_them() -> None:
            self._chosen.choice(racers).kill()

        async with self._killing(one_of_them, told, attempts):
            await asyncio.gather(*(one.run() for one in racers))
        return told, await judged(self._server.url, keys, told, PARTS, shoppers)

    async def _shop(self, attempts: int, at_once: int) -> tuple[dict[str, str], int]:
        """A retailer of its own, and how many have to come: some more for those whom kills send home, and
        whole waves, for budgets to be used up.
        """
        each = OFFERS + TRIES
        shoppers = -(-(attempts + KILLS * at_once * each) // (each * WAVE)) * WAVE
        async with await Database.open(self._server.url) as database:
            return await open_shops(database, shoppers), shoppers

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[Server]:
        serve = Server({"VICINO_DATABASE_URL": self._server.url, "VICINO_LIMITS": "off"}, self._folder)
        try:
            await serve.start()
            yield serve
        finally:
            await serve.end()

    @asynccontextmanager
    async def _killing(self, kill: Kill, told: Told, attempts: int) -> AsyncIterator[None]:
        """Does that and kills all of PostgreSQL, in turn, spread over the attempts."""

        async def reaper() -> None:
            for number in range(KILLS):
                while told.attempts < (number + 1) * attempts // (KILLS + 1):
                    await asyncio.sleep(CHECK_S)
                await asyncio.sleep(self._chosen.uniform(0, CHECK_S))
                if number % 2:
                    self._server.kill_tree()
                else:
                    await kill()

        async with asyncio.TaskGroup() as around:
            around.create_task(reaper())
            yield
            assert told.attempts >= attempts, "kills have sent more home than were reckoned with"
