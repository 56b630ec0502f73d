"""The journal in Kafka: pings lie in its topic, where edges have put them; a row says which are an entry's.

Everything else of a micro-batch is in its row: what was admitted and how, its time, and the version that it
was judged by. The row and the partition's offset are written in the transaction of what follows from the
batch, under the owner's epoch. So what PostgreSQL writes grows with what happens, and Kafka's own offsets are
not the truth.
"""

import asyncio
from collections import deque
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from server.db import DatabaseError
from server.inputs import Input, RecordFixes
from server.journal import Entry, PostgresJournal, Reference, pack_inputs, unpack_row
from server.kafka.cluster import Cluster
from server.kafka.keys import Keys
from server.parts import Part
from server.pings import Pings

log = structlog.get_logger("vicino.kafka")

FETCH_MS = 500
NEAR = 2_000  #: so many records that nobody asks for are read past, rather than sought beyond
READ_S = 30.0  #: so long the records of one row are waited for


class JournalGone(DatabaseError):  # noqa: N818 - it names what was found
    """Kafka does not have, or does not give, what a row of the journal refers to."""


class KafkaJournal(PostgresJournal):
    """The rows of the table `journal`, their pings in a partition of Kafka's topic."""

    def __init__(self, part: Part, reader: "Reader") -> None:
        super().__init__(part)
        self._reader = reader

    def _packed(self, entry: Entry) -> bytes:
        source = entry.source
        if source is None or not source.items:
            return super()._packed(entry)
        if len(source.kept) == len(source.items) and entry.pings.items is source.items:
            return pack_inputs(entry.inputs, Pings.of(()), Reference(source.span, [], []))
        counts = entry.pings.counts.tolist()
        changed = [
            ping
            for ping, (item, at) in enumerate(zip(entry.pings.items, source.kept, strict=True))
            if item is not source.items[at] or counts[ping] != len(item.fixes)
        ]
        told = {id(entry.pings.items[ping]) for ping in changed}
        without = sorted(set(range(len(source.items))).difference(source.kept))
        reference = Reference(source.span, without, [source.kept[ping] for ping in changed])
        return pack_inputs(entry.inputs, entry.pings.select(lambda item: id(item) in told), reference)

    async def _unpacked(self, retailer_id: str, packed: bytes) -> tuple[list[Input], Pings]:
        inputs, pings, reference = unpack_row(packed)
        if reference is None:
            return inputs, pings
        found = dict(enumerate(await self._reader.pings(retailer_id, *reference.span)))
        for place in reference.without:
            found.pop(place, None)
        found |= zip(reference.instead, pings.listed(), strict=True)
        kept = [found[place] for place in sorted(found)]
        return inputs, Pings.of([item for item in kept if item.shopper_id])  # the others were erased


class Reader:
    """Reads the topic of the journal again. `close` it."""

    def __init__(self, cluster: Cluster, topic: str, part: int, keys: Keys) -> None:
        self._cluster = cluster
        self._keys = keys
        self._partition = TopicPartition(topic, part)
        self._consumer: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()  # the lanes of all retailers in the partition read by it
        self._at = -NEAR  # the offset that comes next
        self._ahead: deque[Any] = deque()  # records that were fetched and not yet asked for

    async def pings(self, retailer_id: str, first: int, upto: int) -> list[RecordFixes]:
        """A retailer's pings between two offsets, in order; of who was erased, one of nobody. Raises
        JournalGone.
        """
        found = []
        async with self._reading:
            records = await self._records(first, upto)
        for one in await self._keys.open(records):
            if one.parcel is None:  # it lies in the topic of the dead, or is no ping of who was erased
                continue
            if one.parcel.retailer_id == retailer_id and isinstance(one.parcel.item, RecordFixes):
                found.append(one.parcel.item)
        return found

    async def _records(self, first: int, upto: int) -> list[Any]:
        if first >= upto:
            return []
        consumer = await self._open()
        while self._ahead and self._ahead[0].offset < first:
            self._ahead.popleft()
        if self._ahead[0].offset != first if self._ahead else not self._at <= first < self._at + NEAR:
            self._ahead.clear()
            [begins] = (await consumer.beginning_offsets([self._partition])).values()
            if begins > first:
                raise JournalGone(f"Kafka has dropped offsets {first} to {begins} of {self._partition}")
            consumer.seek(self._partition, first)
        try:
            async with asyncio.timeout(READ_S):
                while not self._ahead or self._ahead[-1].offset < upto - 1:
                    for records in (await consumer.getmany(timeout_ms=FETCH_MS)).values():
                        self._at = records[-1].offset + 1
                        self._ahead.extend(record for record in records if record.offset >= first)
        except TimeoutError:
            raise JournalGone(f"Kafka does not give offsets {first} to {upto} of {self._partition}") from None
        if self._ahead[0].offset != first:
            raise JournalGone(f"Kafka has dropped offset {first} of {self._partition}")
        return [record for record in self._ahead if record.offset < upto]

    async def _open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(**self._cluster.client, auto_offset_reset="earliest")
            await consumer.start()
            consumer.assign([self._partition])
            self._consumer = consumer
        return self._consumer

    async def close(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None
