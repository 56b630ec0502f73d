"""What of one shopper's lies in the topic: for her copy. A topic has no index, so her partitions are read
from their begin; only records with her keys' names are opened.
"""

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from server.clock import Clock
from server.db import Database, DatabaseBusy
from server.inputs import Input
from server.kafka.cluster import Cluster
from server.kafka.keys import Keys
from server.kafka.parcel import Look
from server.kafka.topics import Topics
from server.parts import number_of_parts, slot_of
from server.privacy.export import CopyTakesLonger, name_of
from server.redeem import Redeem
from server.sql import queries

SUBJECTS = queries("kafka")["subjects_of"]

FETCH_MS = 200
FETCH_MOST = 2_000  #: records at once: others have their turn in between
OPEN_MOST = 500


class Hers:
    """Searches the topic of the journal; tells who wants to know how much it has read, of how much."""

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        database: Database,
        clock: Clock,
        *,
        within_s: float | None,
        progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
    ) -> None:
        self._cluster = cluster
        self._topic = topics.journal
        self._database = database
        self._keys = Keys(database, clock)
        self._within_s = within_s
        self._progress = progress

    async def inputs(self, retailer_id: str, ids: Collection[str]) -> list[Input]:
        """All inputs of a shopper's under any of her ids, each once, that lay there when it was asked.

        Raises CopyTakesLonger where that cannot be read in time, and DatabaseBusy where Kafka is away.
        """
        async with self._database.transaction(retailer_id) as connection:
            subjects = {row["subject"] for row in await connection.fetch(SUBJECTS, retailer_id, list(ids))}
        async with self._database.system() as connection:
            parts = await number_of_parts(connection)
        if not subjects:
            return []
        wanted = {part for one in ids for part in _ever_in(slot_of(retailer_id, one), parts)}
        partitions = [TopicPartition(self._topic, part) for part in sorted(wanted)]
        try:
            async with asyncio.timeout(self._within_s):
                records = await self._records(partitions, subjects)
        except TimeoutError:
            raise CopyTakesLonger(
                "to look through Kafka for what she sent takes longer than a request may: "
                "the operator makes the copy with `./vicino export SHOPPER`"
            ) from None
        except KafkaError as error:
            raise DatabaseBusy(f"Kafka cannot be read ({type(error).__name__}): ask again") from error
        found: dict[Hashable, Input] = {}
        for first in range(0, len(records), OPEN_MOST):
            for one in await self._keys.open(records[first : first + OPEN_MOST]):
                item = None if one.parcel is None else one.parcel.item
                if item is not None and not isinstance(item, Look | Redeem) and item.shopper_id in ids:
                    found.setdefault(name_of(item), item)
        return list(found.values())

    async def _records(self, partitions: Sequence[TopicPartition], subjects: Collection[bytes]) -> list[Any]:
        consumer = AIOKafkaConsumer(**self._cluster.client, auto_offset_reset="earliest")
        try:
            await consumer.start()
            consumer.assign(partitions)
            first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            at = dict(first)
            total = sum(ends.values()) - sum(first.values())
            found = []
            while left := [one for one in partitions if at[one] < ends[one]]:
                fetched = await consumer.getmany(*left, timeout_ms=FETCH_MS, max_records=FETCH_MOST)
                for partition, records in fetched.items():
                    found += [one for one in records if one.key in subjects and one.offset < ends[partition]]
                for partition in left:  # a transaction's marker has an offset and is no record
                    at[partition] = await consumer.position(partition)
                self._progress(sum(min(at[one], ends[one]) - first[one] for one in partitions), total)
            return found
        finally:
            await consumer.stop()


def _ever_in(slot: int, parts: int) -> set[int]:
    """The partitions that a slot is in or was in before they were split."""
    return {slot % (1 << power) for power in range(parts.bit_length())}
