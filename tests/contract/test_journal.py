"""What every journal promises, whatever keeps it."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from geo.fix import Fix
from server.clock import to_us
from server.db import Database
from server.ids import new_id
from server.inputs import Input, RecordFixes, Wake
from server.journal import Entry, Journal, PostgresJournal, Source, split, without_shopper
from server.kafka.cluster import Cluster
from server.kafka.journal import KafkaJournal, Reader
from server.kafka.keys import Keys
from server.kafka.parcel import Parcel, pack_parcel
from server.line import lock_head
from server.parts import Part
from server.sql import queries
from server.writes import Writes
from tests.fakes import ManualClock
from tests.integration.conftest import RETAILER, retailers

__all__ = ["retailers"]

DAY = date(2026, 11, 18)
NOON_US = to_us(datetime(2026, 11, 18, 12, tzinfo=UTC))
DAY_US = 86_400_000_000

pytestmark = pytest.mark.usefixtures("retailers")


class PostedJournal(KafkaJournal):
    """The journal in Kafka, whose entries' pings are put there first, as edges put them: sealed."""

    def __init__(self, servers: str, topic: str, reader: Reader, keys: Keys) -> None:
        super().__init__(Part(), reader)
        self._servers = servers
        self._topic = topic
        self._keys = keys

    async def append_alone(self, database: Database, retailer_id: str, entry: Entry) -> bool:
        return await super().append_alone(database, retailer_id, await self.posted(retailer_id, entry))

    async def posted(self, retailer_id: str, entry: Entry) -> Entry:
        """The entry with where its pings lie. Before and after them lie others."""
        pings = [RecordFixes(shopper_id="x", received_at_us=0, device_id="x"), *entry.pings.items]
        async with AIOKafkaProducer(bootstrap_servers=self._servers, acks="all") as producer:
            offsets = []
            for who, item in [*((retailer_id, one) for one in pings), ("rtl_other", pings[-1])]:
                key = await self._keys.of_shopper(who, item.shopper_id) if who == retailer_id else None
                packed = pack_parcel(Parcel(who, item), key)
                offsets.append((await producer.send_and_wait(self._topic, packed, partition=0)).offset)
        if entry.empty:
            return entry
        kept = list(range(1, len(pings)))
        source = Source(span=(offsets[0], offsets[-1] + 1), items=pings, kept=kept)
        return msgspec.structs.replace(entry, source=source)


@pytest.fixture(params=["postgres", "kafka"])
def servers(request: pytest.FixtureRequest) -> str | None:
    return request.getfixturevalue("kafka") if request.param == "kafka" else None


@pytest.fixture
async def journal(servers: str | None, database: Database) -> AsyncIterator[Journal]:
    if servers is None:
        yield PostgresJournal()
        return
    topic = f"{new_id('journal')}.journal"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    clock = ManualClock(NOON_US)
    reader = Reader(Cluster(servers=servers), topic, 0, Keys(database, clock))
    yield PostedJournal(servers, topic, reader, Keys(database, clock))
    await reader.close()


def entry(seq: int, *, days: int = 0, fixes: int = 2, whose: tuple[str, ...] = ("shp",)) -> Entry:
    at_us = NOON_US + days * DAY_US + seq
    made = tuple(
        Fix(lat_deg=60 + n / 7, lon_deg=24.1, fixed_at_us=at_us - n, accuracy_m=5.5 if n else None)
        for n in range(fixes)
    )
    inputs: list[Input] = [
        RecordFixes(shopper_id=who, received_at_us=at_us, device_id="dev", fixes=made) for who in whose
    ]
    inputs.append(Wake(shopper_id="other", received_at_us=at_us))
    others, pings = split(inputs)
    return Entry(seq=seq, written_at_us=at_us, version=3, inputs=others, pings=pings)


async def append(journal: Journal, database: Database, *entries: Entry) -> None:
    async with database.transaction(RETAILER) as connection:
        await lock_head(connection, RETAILER, journal.part)  # as every first batch does
    for one in entries:
        await journal.prepare(database, one.day)
        assert await journal.append_alone(database, RETAILER, one)


async def of_day(journal: Journal, database: Database, day: date) -> list[Entry]:
    async with database.transaction(RETAILER) as connection:
        return [one async for one in journal.day(connection, RETAILER, day)]


async def since(journal: Journal, database: Database, seq: int) -> list[int]:
    async with database.transaction(RETAILER) as connection:
        reading = journal.since(connection, RETAILER, seq, DAY, DAY + timedelta(days=2))
        return [one.seq async for one in reading]


async def test_an_entry_is_read_as_it_was_written(journal: Journal, database: Database) -> None:
    written = entry(1)
    await append(journal, database, written)

    [read] = await of_day(journal, database, DAY)

    assert (read.seq, read.written_at_us, read.version) == (1, written.written_at_us, 3)
    assert read.inputs == written.inputs
    ping = read.pings.items[0]
    assert (ping.shopper_id, ping.device_id, ping.received_at_us) == ("shp", "dev", written.written_at_us)
    assert [read.pings.fix(row) for row in range(2)] == [written.pings.fix(row) for row in range(2)]


async def test_of_who_was_erased_nothing_is_read_and_the_others_are_what_they_were(
    journal: Journal, database: Database
) -> None:
    await append(journal, database, entry(1, whose=("stays", "goes", "stays too")), entry(2, whose=("goes",)))

    async with database.transaction(RETAILER) as connection:
        for row in await connection.fetch("SELECT seq, inputs FROM journal"):
            left = without_shopper(row["inputs"], ["goes"])
            await connection.execute("UPDATE journal SET inputs = $2 WHERE seq = $1", row["seq"], left)
        await connection.execute(queries("privacy")["erase_topic_keys"], RETAILER, "goes")
    first, second = await of_day(journal, database, DAY)

    assert [item.shopper_id for item in first.pings.items] == ["stays", "stays too"]
    written = entry(1, whose=("stays", "stays too"))
    assert [first.pings.fix(row) for row in range(4)] == [written.pings.fix(row) for row in range(4)]
    assert len(second.pings) == 0


async def test_a_day_is_read_in_order(journal: Journal, database: Database) -> None:
    await append(journal, database, entry(1), entry(2), entry(3, days=1))

    assert [one.seq for one in await of_day(journal, database, DAY)] == [1, 2]


async def test_reading_goes_on_from_an_entry_over_the_end_of_a_day(
    journal: Journal, database: Database
) -> None:
    await append(journal, database, entry(1), entry(2), entry(3, days=1))

    assert await since(journal, database, 1) == [2, 3]


async def test_an_entry_out_of_line_is_refused_and_leaves_no_trace(
    journal: Journal, database: Database
) -> None:
    await append(journal, database, entry(1))

    assert not await journal.append_alone(database, RETAILER, entry(1))
    assert not await journal.append_alone(database, RETAILER, entry(3))

    assert await since(journal, database, 0) == [1]


async def test_what_its_transaction_takes_back_was_never_there(journal: Journal, database: Database) -> None:
    await journal.prepare(database, DAY)
    written = entry(1)
    if isinstance(journal, PostedJournal):
        written = await journal.posted(RETAILER, written)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction(RETAILER) as connection:
            writes = Writes()
            journal.append(writes, RETAILER, written)
            await writes.run(connection)
            raise ZeroDivisionError

    assert await since(journal, database, 0) == []
    await append(journal, database, entry(1))


async def test_an_empty_entry_leaves_no_trace(journal: Journal, database: Database) -> None:
    others, pings = split([])
    empty = Entry(seq=1, written_at_us=NOON_US, version=3, inputs=others, pings=pings)

    await append(journal, database, empty)

    assert await since(journal, database, 0) == []


async def test_nobody_reads_what_is_another_retailers(journal: Journal, database: Database) -> None:
    await append(journal, database, entry(1))

    async with database.transaction("rtl_other") as connection:
        assert [one async for one in journal.day(connection, RETAILER, DAY)] == []
