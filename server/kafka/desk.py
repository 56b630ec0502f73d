"""An edge's desk: what was let in goes to Kafka, and the engine's answer comes back.

What a phone sends is acknowledged as soon as all in-sync replicas have it. The answer waits a moment longer
for the engine's, which knows what was refused and when the phone should report next; where no engine is heard
of in time, the phone gets an answer without these. Everything else (a registration, a consent, a till) needs
the engine's answer: where that does not come the caller is told to ask again, and nothing happens twice.
"""

import asyncio
import zlib
from collections.abc import Callable, Collection
from time import monotonic

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from server.admit import Admitted
from server.clock import Clock
from server.db import Database, DatabaseBusy
from server.edge.room import Busy, Outlook, Worth
from server.errors import BadUse
from server.ids import new_id
from server.inputs import Input, RecordCrossings, RecordEvents, RecordFixes, RegisterDevice
from server.kafka.cluster import Cluster
from server.kafka.doorstep import Doorstep, refused, together
from server.kafka.keys import Keys
from server.kafka.parcel import (
    Key,
    Look,
    Parcel,
    Reply,
    Told,
    as_stored,
    open_told,
    pack_parcel,
    unpack_replies,
)
from server.kafka.topics import ANSWER_PARTITIONS, Topics
from server.lane import Poison
from server.parts import number_of_parts, part_of
from server.privacy.erasing import Erasing, Receipt, receipt
from server.publish import CHANNEL
from server.redeem import Answer, Redeem
from server.sql import queries
from server.watch import CONSENTS, Watch

SQL = queries("kafka")
log = structlog.get_logger("vicino.kafka")

PATIENCE_S = 1.0  #: so long a phone waits for an engine's answer, once what it sent is durable …
SILENT_S = 0.02  #: … and so long while its partition's engine has not been heard of
ANSWER_S = 15.0  #: so long everybody else waits
LIVE_S = 5.0
IN_HAND_MOST = 20_000  #: inputs that wait for Kafka or an answer; more are refused
PARTS_S = 1.0  #: how often it is asked whether partitions have been added, and whether Kafka is there
REACHED_S = 3.0  #: so long that may take


class KafkaDesk:
    """Of one edge process. `start` it, and `stop` it."""

    def __init__(self, cluster: Cluster, topics: Topics, database: Database, clock: Clock, url: str) -> None:
        self._cluster = cluster
        self._topics = topics
        self._database = database
        self._clock = clock
        self._name = new_id("edg")
        self._partition = zlib.crc32(self._name.encode()) % ANSWER_PARTITIONS
        self._keys = Keys(database, clock)
        self._door = Doorstep(database, self._keys)
        self._watch = Watch(
            url,
            {CHANNEL: self._door.published, CONSENTS: self._door.heard},
            on_version=self._door.published,
            on_blind=self._door.blind,
        )
        self._erasing = Erasing(database, clock, submit=self.submit, on_erased=self._erased)
        self._when_erased: list[Callable[[str, Collection[str]], None]] = []
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._numbers = 0
        self._silent: dict[int, float] = {}  #: by partition: since when its engine owes an answer
        self._parts, self._reached = 0, True
        self._producer: AIOKafkaProducer | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connects. Raises BadUse where Kafka is not set up, KafkaError where it is out of reach."""
        await self._count_parts()
        if not self._parts:
            raise BadUse("Kafka is not set up for this database: `./vicino kafka setup`")
        self._producer = AIOKafkaProducer(
            **self._cluster.client, acks="all", enable_idempotence=True, request_timeout_ms=10_000
        )
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(**self._cluster.client, auto_offset_reset="latest")
        await self._consumer.start()
        partition = TopicPartition(self._topics.answers, self._partition)
        self._consumer.assign([partition])
        await self._consumer.seek_to_end(partition)
        self._tasks = [
            asyncio.create_task(self._watch.run(), name="watch"),
            asyncio.create_task(self._listen(), name="answers"),
            asyncio.create_task(self._follow(), name="parts"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._producer is not None:
            await self._producer.stop()
        if self._consumer is not None:
            await self._consumer.stop()

    @property
    def ready(self) -> bool:
        """Whether Kafka answers, and changes are heard of."""
        at_work = bool(self._tasks) and not any(task.done() for task in self._tasks)
        return at_work and self._reached and self._watch.hears

    async def submit(self, retailer_id: str, item: Input, worth: Worth = Worth.ALL) -> Admitted:
        """See `Desk`. Raises also DatabaseBusy where Kafka does not take it or no engine answers."""
        self._door.hears = self._watch.hears
        if worth is not Worth.ALL and self.full(retailer_id):
            raise Busy("more comes than can be done just now: try again in a few seconds")
        here, left, places = await self._door.let_in(retailer_id, item)
        if left is None:
            return here
        if not isinstance(left, RecordFixes | RecordEvents | RecordCrossings):
            return await self._command(retailer_id, left)
        told = await self._ask(retailer_id, left.shopper_id, as_stored(left), patience_s=None)
        if told is None:
            return Admitted(accepted=len(places), refusals=here.refusals)
        if told.admitted is None:
            raise Poison("this input could not be processed; it was put aside for the operator")
        return together(here, told.admitted, places)

    def put(self, retailer_id: str, item: RecordFixes, worth: Worth) -> "asyncio.Future[Admitted]":
        """See `Desk`."""
        return asyncio.ensure_future(self.submit(retailer_id, item, worth))

    def outlook(self, _retailer_id: str, _shopper_id: str) -> Outlook | None:
        """See `Desk`: what a ping is worth is for engines to know."""
        return None

    def full(self, _retailer_id: str, *, late: bool = False) -> bool:  # noqa: ARG002
        """See `Desk`."""
        return len(self._waiting) >= IN_HAND_MOST

    def sheds(self, _retailer_id: str) -> int | None:
        """See `Desk`, and `outlook`."""
        return None

    async def redeem(self, retailer_id: str, ask: Redeem) -> Answer:
        """See `Desk`. The lane of the shopper whose coupon it is answers, or any if there is none."""
        async with self._database.transaction(retailer_id) as connection:
            shopper_id = await connection.fetchval(SQL["whose_coupon"], retailer_id, ask.code_hash)
        told = await self._answered(retailer_id, shopper_id, ask)
        if told.answer is None:
            raise Poison("this input could not be processed; it was put aside for the operator")
        return told.answer

    async def live(self, retailer_id: str) -> None:
        """See `Desk`: this edge knows it, and every partition's engine says that it does."""
        await self._door.world(retailer_id, newest=True)
        looks = [self._look(retailer_id, part) for part in range(self._parts)]
        await asyncio.wait([asyncio.ensure_future(look) for look in looks], timeout=LIVE_S)

    async def erase(self, retailer_id: str, erasure_id: str) -> Receipt:
        """See `Desk`."""
        await self.finish_erasures(retailer_id)
        return await receipt(self._database, retailer_id, erasure_id)

    async def finish_erasures(self, retailer_id: str) -> None:
        """Does the retailer's erasures that were asked for."""
        await self._erasing.resume(retailer_id)

    def when_erased(self, forget: Callable[[str, Collection[str]], None]) -> None:
        """See `Desk`."""
        self._when_erased.append(forget)

    def _erased(self, retailer_id: str, shopper_ids: Collection[str]) -> None:
        for forget in self._when_erased:
            forget(retailer_id, shopper_ids)

    async def _command(self, retailer_id: str, item: Input) -> Admitted:
        """What needs the engine's answer."""
        item = await self._known(retailer_id, item)
        told = await self._answered(retailer_id, item.shopper_id, item)
        if told.elsewhere:  # she has become known meanwhile
            item = await self._known(retailer_id, item)
            told = await self._answered(retailer_id, item.shopper_id, item)
        self._door.forget(retailer_id, item.shopper_id)
        if told.admitted is None:
            raise Poison("this input could not be processed; it was put aside for the operator")
        return told.admitted

    async def _known(self, retailer_id: str, item: Input) -> Input:
        """A registration of a user who is known already as one of that shopper."""
        if not isinstance(item, RegisterDevice) or item.user_hash is None:
            return item
        async with self._database.transaction(retailer_id) as connection:
            known = await connection.fetchval(SQL["find_shopper"], retailer_id, item.user_hash)
        return msgspec.structs.replace(item, shopper_id=known or item.shopper_id)

    async def _answered(self, retailer_id: str, shopper_id: str | None, item: Input | Redeem) -> Told:
        told = await self._ask(retailer_id, shopper_id, item, patience_s=ANSWER_S)
        if told is None:
            raise DatabaseBusy("this is in Kafka, and no engine has answered yet: ask again in a moment")
        return told

    async def _look(self, retailer_id: str, part: int) -> None:
        await self._send(part, Parcel(retailer_id, Look()), None, LIVE_S)

    async def _ask(
        self, retailer_id: str, shopper_id: str | None, item: Input | Redeem, *, patience_s: float | None
    ) -> Told | None:
        """Puts an item into Kafka, sealed where it is of a shopper; the engine's answer, None where it does
        not come in time.

        Without `patience_s` it is waited for as long as a phone can, and hardly while none comes at all.
        """
        key = None if shopper_id is None else await self._keys.of_shopper(retailer_id, shopper_id)
        if isinstance(item, Redeem):
            part = part_of(retailer_id, shopper_id or item.code_hash.hex(), self._parts)
        elif key is None:  # she was erased
            return Told(admitted=refused(item, "unknown_device"))
        else:
            part = part_of(retailer_id, item.shopper_id, self._parts)
        if patience_s is None:
            silent_s = monotonic() - self._silent.get(part, monotonic())
            patience_s = SILENT_S if silent_s > PATIENCE_S else PATIENCE_S
        told = await self._send(part, Parcel(retailer_id, item), key, patience_s)
        if told is not None and told.shut:
            self._door.forget(retailer_id, shopper_id or "")
            raise DatabaseBusy("her key has changed meanwhile: send it again")
        return told

    async def _send(self, part: int, parcel: Parcel, key: Key | None, patience_s: float) -> Told | None:
        assert self._producer is not None
        self._numbers += 1
        number, future = self._numbers, asyncio.get_running_loop().create_future()
        packed = pack_parcel(
            Parcel(parcel.retailer_id, parcel.item, self._name, number, self._partition), key
        )
        self._waiting[number] = future
        self._silent.setdefault(part, monotonic())
        try:
            subject = b"" if key is None else key.subject
            await self._producer.send_and_wait(self._topics.journal, packed, key=subject, partition=part)
            async with asyncio.timeout(patience_s):
                reply: Reply = await future
        except TimeoutError:
            return None
        except KafkaError as error:
            raise DatabaseBusy(f"Kafka does not take it ({type(error).__name__}): send it again") from error
        finally:
            self._waiting.pop(number, None)
        return open_told(reply, key)

    async def _listen(self) -> None:
        """Hears the answers."""
        assert self._consumer is not None
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=200)
            except KafkaError as error:
                log.warning("answers_not_heard", error=type(error).__name__)
                await asyncio.sleep(0.2)
                continue
            mine = self._name.encode()
            records = [one for batch in fetched.values() for one in batch if one.key == mine]
            for reply in (reply for one in records for reply in unpack_replies(one.value)):
                self._silent.pop(reply.part, None)
                future = self._waiting.get(reply.number)
                if future is not None and not future.done():
                    future.set_result(reply)

    async def _follow(self) -> None:
        """Follows the number of partitions, and whether Kafka is there."""
        assert self._producer is not None
        while True:
            await asyncio.sleep(PARTS_S)
            try:
                async with asyncio.timeout(REACHED_S):
                    self._reached = await self._producer.client.force_metadata_update()
            except TimeoutError:
                self._reached = False
            try:
                await self._count_parts()
            except Exception as error:  # noqa: BLE001 - what it knows holds until it hears otherwise
                log.warning("parts_not_counted", error=type(error).__name__)

    async def _count_parts(self) -> None:
        async with self._database.system() as connection:
            self._parts = await number_of_parts(connection) or self._parts
