"""Racers in a process of their own: the lanes of some parts of the retailer's shoppers, with callers.

`python -m tests.faults.races.lanes START`. Each part is what an engine owns of several: its own line and
journal, its own pipeline, micro-batches as they gather. What is raced for (budgets, coupons) all parts share.
A coupon's lane is its shopper's: there all tills that want it meet. It tells on standard output what was
answered, a line a visit, and may be killed at any moment.
"""

import asyncio
import os
import sys
from collections.abc import Iterator

import msgspec

from geo.fix import Fix
from offers.consent import PURPOSES, Consent
from offers.coupon import code_hash, coupon_code
from offers.event import Event
from server.clock import SystemClock
from server.db import Database, DatabaseError
from server.edge.room import Busy, Room
from server.inputs import Input, RecordEvents, RecordFixes, RegisterDevice
from server.journal import PostgresJournal
from server.lane import Lane
from server.logs import configure
from server.parts import Part, part_of
from server.people import secret_of
from server.pipeline import Pipeline
from server.redeem import Answer, Redeem
from tests.faults.races.town import WAVE, place_of, shopper_id, skus_of, store_of
from tests.faults.races.visit import Told, Undone, visit

AT_ONCE = 40  #: shoppers of a part
AGAIN_S = 0.05  #: who is refused comes again after that

COUPONS_OF = """
SELECT decision_id, shopper_id FROM coupons
WHERE retailer_id = $1 AND shopper_id = ANY($2::text[]) ORDER BY decision_id
"""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to do."""

    database_url: str
    retailer_id: str
    parts: int
    next: dict[int, int]  #: its parts, and in each the next shopper
    shoppers: int  #: in all; each is of the part of her number


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What it tells of a visit."""

    shopper: int
    told: Told


class Lanes:
    """The way of everybody whose part is here: her lane, which answers for her coupons, too."""

    def __init__(self, start: Start, lanes: dict[int, Lane], database: Database, secret: bytes) -> None:
        self._retailer_id, self._parts, self._lanes = start.retailer_id, start.parts, lanes
        self._database, self._secret = database, secret
        self._clock = SystemClock()
        self._whose: dict[str, str] = {}  #: shoppers, by decision

    async def arrive(self, shopper: int) -> str:
        name = shopper_id(self._retailer_id, shopper, self._parts)
        now_us = self._clock.now_us()
        consents = {purpose: Consent(granted=True, at_us=now_us) for purpose in PURPOSES}
        device = f"dev{name}"
        whose = {"shopper_id": name, "received_at_us": now_us, "device_id": device}
        await self._submit(name, RegisterDevice(**whose, platform="android", consents=consents))
        views = (
            Event(kind="view", at_us=now_us - ago, sku=sku)
            for sku in skus_of(shopper)
            for ago in (2_000_000, 1_000_000)
        )
        await self._submit(name, RecordEvents(**whose, events=tuple(views)))
        lat, lon = place_of(store_of(shopper))
        fix = Fix(lat_deg=lat, lon_deg=lon, fixed_at_us=self._clock.now_us(), accuracy_m=6.0)
        await self._submit(name, RecordFixes(**whose, fixes=(fix,)))
        return name

    async def look(self, who: str, shopper: int, number: int) -> None:
        now_us = self._clock.now_us()
        event = Event(kind="view", at_us=now_us, sku=skus_of(shopper)[number])
        whose = {"shopper_id": who, "received_at_us": now_us, "device_id": f"dev{who}"}
        await self._submit(who, RecordEvents(**whose, events=(event,)))

    async def leave(self, who: str, shopper: int) -> None:
        """Her coupons are found in the database."""

    async def coupons(self, shopper: int) -> list[str]:
        first = shopper // WAVE * WAVE
        here = [one for one in range(first, first + WAVE) if one % self._parts in self._lanes]
        wave = [shopper_id(self._retailer_id, one, self._parts) for one in here]
        try:
            async with self._database.transaction(self._retailer_id) as connection:
                rows = await connection.fetch(COUPONS_OF, self._retailer_id, wave)
        except DatabaseError as error:
            raise Undone from error
        self._whose |= {row["decision_id"]: row["shopper_id"] for row in rows}
        return [row["decision_id"] for row in rows]

    async def back(self) -> bool:
        try:
            async with self._database.system() as connection:
                await connection.execute("SELECT")
        except DatabaseError:
            return False
        return True

    async def redeem(self, decision_id: str, key: str) -> bool:
        ask = Redeem(
            code_hash=code_hash(self._secret, coupon_code(self._secret, decision_id)),
            store=None,
            received_at_us=self._clock.now_us(),
            caller="till",
            idempotency_key=f"{key} {os.getpid()}",
            request_hash=b"",
        )
        answer = await self._submit(self._whose[decision_id], ask)
        assert isinstance(answer, Answer)
        assert answer.status in (200, 409), answer
        return answer.status == 200

    async def _submit(self, who: str, item: Input | Redeem) -> object:
        lane = self._lanes[part_of(self._retailer_id, who, self._parts)]
        while True:
            try:
                return await lane.submit(item)
            except Busy:  # nothing has happened: whoever is refused comes again
                await asyncio.sleep(AGAIN_S)
            except DatabaseError as error:
                raise Undone from error


async def race(start: Start) -> None:
    """Runs the lanes until every shopper has been there."""
    async with await Database.open(start.database_url) as database:
        secret, room = await secret_of(database, start.retailer_id), Room()
        lanes = {part: _lane(start, part, database, room) for part in start.next}
        way = Lanes(start, lanes, database, secret)
        async with asyncio.TaskGroup() as running:
            emptying = [running.create_task(lane.run()) for lane in lanes.values()]
            callers = []
            for first in start.next.values():
                left = iter(range(first, start.shoppers, start.parts))
                callers += [running.create_task(_shoppers(way, left)) for _ in range(AT_ONCE)]
            await asyncio.wait(callers)
            for task in emptying:
                task.cancel()


async def _shoppers(way: Lanes, left: Iterator[int]) -> None:
    for shopper in left:
        told = await visit(way, shopper)
        sys.stdout.buffer.write(msgspec.json.encode(Line(shopper=shopper, told=told)) + b"\n")
        sys.stdout.buffer.flush()


def _lane(start: Start, part: int, database: Database, room: Room) -> Lane:
    clock, journal = SystemClock(), PostgresJournal(Part(number=part, of=start.parts))
    pipeline = Pipeline(
        start.retailer_id,
        database,
        journal,
        clock,
        on_push=lambda: None,
        on_doubt=lambda _: None,
        on_world=lambda: lane.look(),  # noqa: PLW0108 - which is made below
    )
    lane = Lane(pipeline, database, clock, room, lambda _kind, _error: None)
    lane.published()
    return lane


if __name__ == "__main__":
    configure()
    asyncio.run(race(msgspec.json.decode(sys.argv[1], type=Start)))
