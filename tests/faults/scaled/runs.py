"""Many runs on one cluster: open shops, let a crowd in, let something go wrong, let it heal, judge.

    async with cluster(folder, seed=7) as made:
        summary = await one_run(made, "kill_engine", seed=7)   # raises PromiseBroken

Each run has retailers, phones and tills of its own; edges, engines, brokers and PostgreSQL stay. So a promise
that a run breaks later is broken in another: what is wrong with earlier retailers' budgets, pushes and visits
every later run sees, too.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from server.clock import SystemClock, from_us
from server.db import Database
from server.journal import Journal
from server.kafka.journal import KafkaJournal, Reader
from server.kafka.keys import Keys
from server.parts import Part
from tests.faults.crowd import Crowd, Outside
from tests.faults.invariants import broken, evidence
from tests.faults.scaled.cluster import PARTS, Cluster
from tests.faults.scaled.harms import HARMS, RECOVERY_S, Scene
from tests.faults.scenario import PromiseBroken, Summary
from tests.faults.town import Retailer, open_shops

PHONES = 8
PATIENCE_S = 6.0  #: of a phone; then it asks another edge
AFTERWARDS = 30  #: fixes that are acknowledged once all is well again


async def one_run(made: Cluster, name: str, seed: int) -> Summary:
    """The fault of that name, on a cluster that is whole before and afterwards. Raises PromiseBroken."""
    clock, outside = SystemClock(), Outside()
    now_us = clock.now_us()
    retailers = await open_shops(made.postgres.url, from_us(now_us), number=now_us)
    crowd = Crowd(made.urls, retailers, outside, clock, seed=seed, phones=PHONES, patience_s=PATIENCE_S)
    async with crowd:
        await HARMS[name](Scene(cluster=made, crowd=crowd, random=random.Random(seed)))
        await made.whole()
        await crowd.until_taken(AFTERWARDS, RECOVERY_S)
    try:
        await made.rest()
    except TimeoutError as error:
        raise PromiseBroken(
            f"{name} --seed {seed}: i8: not all is done, or not every push at an end"
        ) from error
    return await _judged(made, name, seed, outside, retailers)


async def _judged(
    made: Cluster, name: str, seed: int, outside: Outside, retailers: list[Retailer]
) -> Summary:
    phones = await made.fcm.phones()
    screens = {address: screen for address, screen in phones.items() if address in outside.device_at}
    async with (
        _journals(made) as journals,
        evidence(made.postgres.url, outside, screens, retailers, journals) as found,
    ):
        wrong = [*await broken(found, at_rest=False), *await _elsewhere_done(made, found.connection)]
        if wrong:
            told = "\n  ".join(wrong[:20])
            raise PromiseBroken(f"{name} --seed {seed}: {len(wrong)} promises were not kept\n  {told}")
        [(offers, redeemed)] = await found.connection.fetch(
            "SELECT count(*), count(*) FILTER (WHERE status = 'redeemed') FROM coupons "
            "WHERE retailer_id = ANY($1)",
            list(found.entries),
        )
    return Summary(
        seed=seed,
        fixes=outside.taken,
        offers=offers,
        pushes=sum(len(screen["appeared"]) for screen in screens.values()),
        redeemed=redeemed,
        unanswered=sum(count for status, count in outside.answers.items() if status == 0 or status >= 500),
        slowest_s=round(outside.slowest_s, 2),
    )


@asynccontextmanager
async def _journals(made: Cluster) -> AsyncIterator[list[Journal]]:
    """The journal of each partition, as an engine reads it."""
    async with await Database.open(made.postgres.url) as database:
        keys = Keys(database, SystemClock())
        readers = [Reader(made.kafka.cluster, made.topics.journal, part, keys) for part in range(PARTS)]
        try:
            yield [KafkaJournal(Part(number=part, of=PARTS), reader) for part, reader in enumerate(readers)]
        finally:
            await asyncio.gather(*(reader.close() for reader in readers))


async def _elsewhere_done(made: Cluster, connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """I9 of Kafka: no offset in the database is beyond what the topic has, of a partition or a retailer."""
    ends = await made.ends()
    rows = await connection.fetch(
        "SELECT part, next_offset FROM heads UNION ALL SELECT part, next_offset FROM partitions"
    )
    return [
        f"i9: partition {part} ends at {ends[part]}, and {offset} is done"
        for part, offset in rows
        if offset > ends[part]
    ]
