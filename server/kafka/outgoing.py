"""What an engine puts into Kafka: answers, records that cannot be read, and records of other partitions."""

import asyncio
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from server.kafka.cluster import Cluster
from server.kafka.keys import Opened
from server.kafka.parcel import Reply, Sealed, pack_replies
from server.kafka.topics import Topics

log = structlog.get_logger("vicino.kafka")

TOGETHER = 500  #: answers in one record: where much was waiting, all of them were larger than a record may be


class Outgoing:
    """`start` it, and `stop` it. Nothing waits for an answer to arrive; whoever has a record moved waits."""

    def __init__(self, cluster: Cluster, topics: Topics) -> None:
        self._cluster = cluster
        self._topics = topics
        self._answers: dict[tuple[int, str], list[Reply]] = {}
        self._sending: set[asyncio.Future[Any]] = set()
        self._quick: AIOKafkaProducer | None = None  #: for answers: who gets none asks again
        self._sure: AIOKafkaProducer | None = None  #: for what may not be lost

    async def start(self) -> None:
        """Connects. Raises KafkaError."""
        self._quick = AIOKafkaProducer(**self._cluster.client, acks=1)
        await self._quick.start()
        self._sure = AIOKafkaProducer(
            **self._cluster.client, acks="all", enable_idempotence=True, request_timeout_ms=10_000
        )
        await self._sure.start()

    async def stop(self) -> None:
        """Ends when everything is sent."""
        await asyncio.gather(*self._sending, return_exceptions=True)
        for producer in (self._quick, self._sure):
            if producer is not None:
                await producer.stop()

    def tell(self, to: Sealed, answer: Reply) -> None:
        """Has an answer sent, with the others of its batch."""
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._send_answers)
        self._answers.setdefault((to.partition, to.edge), []).append(answer)

    def _send_answers(self) -> None:
        answers, self._answers = self._answers, {}
        for (partition, edge), replies in answers.items():
            for first in range(0, len(replies), TOGETHER):
                packed = pack_replies(replies[first : first + TOGETHER])
                sending = asyncio.ensure_future(self._answer(partition, edge.encode(), packed))
                self._sending.add(sending)
                sending.add_done_callback(self._sending.discard)

    async def _answer(self, partition: int, edge: bytes, packed: bytes) -> None:
        assert self._quick is not None
        try:
            await self._quick.send_and_wait(self._topics.answers, packed, key=edge, partition=partition)
        except KafkaError as error:
            log.warning("not_answered", error=type(error).__name__)

    async def bury(self, packed: bytes, why: str) -> None:
        """Puts a record that cannot be read where an operator finds it. Raises KafkaError."""
        assert self._sure is not None
        await self._sure.send_and_wait(self._topics.dead, packed, key=why.encode()[:500], partition=0)

    async def pass_on(self, record: Opened, number: int) -> None:
        """Puts a record into the partition that is its shopper's. Raises KafkaError."""
        assert self._sure is not None
        assert record.sealed is not None, "whose shopper is known"
        subject = record.sealed.subject
        await self._sure.send_and_wait(self._topics.journal, record.value, key=subject, partition=number)
