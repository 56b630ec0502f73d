"""What was learned of a part of a retailer's shoppers, in memory; and how it is made again from lessons.

It changes with each lesson, in the transaction that writes the lesson down. Now and then all of it is written
too (`learners`), with the batch after which it holds. So it is, at any time, the newest such row and the
lessons after it: after a start, and after a batch that failed.
"""

import asyncio
from datetime import date, timedelta

import msgspec
import structlog

from offers.learn.learner import Learner
from offers.learn.lesson import Began, Lesson, taught
from offers.learn.stored import restored, stored
from server.clock import from_us
from server.db import Connection
from server.inputs import ShopperErased
from server.journal import Entry
from server.parts import WHOLE
from server.sql import queries
from server.turn import Turn
from server.world import World
from server.writes import Writes

SQL = queries("learning")
log = structlog.get_logger("vicino.learners")

KEEP_EVERY = 500  #: lessons after which all is written
LESSONS_AT_ONCE = 200  #: learned again before others have their turn
LONGEST = timedelta(days=31)  #: no older day can be replayed
NEVER = 2**62  #: an entry that will not come

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Lesson)


class Learners:
    """Of one retailer: the learner that batches are decided with."""

    def __init__(self, retailer_id: str, part: int = 0) -> None:
        self._of = retailer_id, part
        self._current: Learner | None = None  # None: not read since it was last in doubt
        self._since = 0  # lessons since all was written
        self._day = date.min  # when it was

    def forget(self) -> None:
        """It may hold what has not been committed."""
        self._current = None

    async def ready(self, connection: Connection, turn: Turn, world: World) -> Learner | None:
        """The learner for a batch; None where there is nothing to learn or to judge. Learning begins anew
        where another model is in use by now.
        """
        settings = world.catalogue.settings
        if settings.policy != "learn" and not turn.outcomes:
            return None
        if not turn.inputs and not len(turn.pings):
            return None  # nothing is journaled of such a batch, so nothing can begin with it
        if self._current is None:
            self._current, self._since, self._day = await learned(connection, self._of, NEVER)
        wanted = settings.model or ""
        if self._current is None or self._current.model != wanted:
            began = Began(model=wanted, priors=settings.learning.priors)
            begun = await _begun(connection, self._of, began, (NEVER, 0))
            if begun is None and self._current is None:
                began = msgspec.structs.replace(began, model="")
                begun = Learner(began.priors)
            if begun is not None:
                self._current, self._since = begun, KEEP_EVERY  # to be written with this batch
                turn.lessons.append(("", began))
        return self._current

    async def save(
        self, connection: Connection, writes: Writes, entry: Entry, lessons: list[tuple[str, Lesson]]
    ) -> None:
        """What a batch has taught; and at once all that was learned, if it is time."""
        if lessons:
            packed = [pack_lesson(lesson) for _, lesson in lessons]
            learned_at = from_us(entry.written_at_us)
            whose = [who for who, _ in lessons]
            writes.add(SQL["add_lessons"], *self._of, entry.seq, learned_at, whose, packed)
            self._since += len(lessons)
        # Lessons of somebody who is erased go: nothing must be made of them again.
        erased = any(isinstance(item, ShopperErased) for item in entry.inputs)
        due = lessons and (self._since >= KEEP_EVERY or entry.day > self._day)
        if due or erased:
            await self._keep(connection, entry)

    async def _keep(self, connection: Connection, entry: Entry) -> None:
        if self._current is None:
            self._current, _, _ = await learned(connection, self._of, NEVER)
        if self._current is not None:
            packed = stored(self._current)
            await connection.execute(SQL["keep_learner"], *self._of, entry.seq, entry.day, packed)
            await connection.execute(SQL["forget_learners"], *self._of, entry.day - LONGEST)
            self._since, self._day = 0, entry.day

    async def packed(self, connection: Connection) -> bytes:
        """All that was learned, as bytes; empty where nothing was."""
        learner = self._current
        if learner is None:
            learner, _, _ = await learned(connection, self._of, NEVER)
        return b"" if learner is None else stored(learner)


class Relearned:
    """The learner of a retailer in a replay: it learns again, and where it began anew it begins anew."""

    def __init__(self, retailer_id: str, part: int = 0) -> None:
        self.lessons = 0
        self._of = retailer_id, part
        self._learner: Learner | None = None
        self._read = False
        self._began: list[bytes] = []  # of the entry that is replayed
        self._stored: list[bytes] = []

    async def learner(self, connection: Connection, seq: int) -> Learner | None:
        """As an entry found it; to be asked for each, in order."""
        if not self._read:
            self._read = True
            self._learner, _, _ = await learned(connection, self._of, seq)
        rows = await connection.fetch(SQL["lessons_of_batch"], *self._of, seq)
        self._stored, self._began = [row["lesson"] for row in rows], []
        self.lessons += len(rows)
        if rows and isinstance(began := unpack_lesson(rows[0]["lesson"]), Began):
            self._began = self._stored[:1]
            self._learner = await _begun(connection, self._of, began, (seq, 1))
        return self._learner

    def same(self, lessons: list[tuple[str, Lesson]]) -> bool:
        """Whether the entry taught the same again, to the last bit."""
        return [*self._began, *(pack_lesson(lesson) for _, lesson in lessons)] == self._stored


def pack_lesson(lesson: Lesson) -> bytes:
    """A lesson as it is written down; equal ones are equal bytes."""
    return _encoder.encode(lesson)


def unpack_lesson(packed: bytes) -> Lesson:
    """The inverse."""
    lesson: Lesson = _decoder.decode(packed)
    return lesson


async def learned(
    connection: Connection, of: tuple[str, int], before_seq: int
) -> tuple[Learner | None, int, date]:
    """All that was learned `of` a retailer's part before a journal entry (None: nothing ever), how many
    lessons of it came after the newest row, and the day of that row.
    """
    row = await connection.fetchrow(SQL["newest_learner"], *of, before_seq)
    learner = None if row is None else restored(row["learner"])
    since = 0 if row is None else row["seq"]
    learner, count = await _learned_on(connection, of, learner, since, (before_seq, 0))
    return learner, count, date.min if row is None else row["day"]


async def _learned_on(
    connection: Connection, of: tuple[str, int], learner: Learner | None, since: int, until: tuple[int, int]
) -> tuple[Learner | None, int]:
    """A learner after the lessons that follow, and how many these were."""
    rows = await connection.fetch(SQL["lessons_between"], *of, since, *until)
    for count, row in enumerate(rows, start=1):
        lesson = unpack_lesson(row["lesson"])
        if isinstance(lesson, Began):
            learner = await _begun(connection, of, lesson, (row["seq"], row["number"]))
        elif learner is not None:
            taught(learner, lesson)
        if count % LESSONS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return learner, len(rows)


async def _begun(
    connection: Connection, of: tuple[str, int], began: Began, until: tuple[int, int]
) -> Learner | None:
    """A learner that begins anew: from priors, or from a fitted model and what it has not read. None where
    there is no such model.
    """
    if not began.model:
        return Learner(began.priors)
    row = await connection.fetchrow(SQL["model"], of[0], began.model, of[1])
    if row is None and of[1] == WHOLE.number:
        log.error("model_missing", retailer=of[0], model=began.model)
        return None
    # A part that had learned nothing when the model was made has none of its own.
    learner = Learner(began.priors) if row is None else restored(row["learner"])
    learner.model = began.model
    since = 0 if row is None else row["as_of"]
    return await _taught_since(connection, of, learner, since, until)


async def again(connection: Connection, of: tuple[str, int]) -> Learner | None:
    """A learner made of nothing but the lessons that are left: since it last began from priors, or of all of
    them if that is not kept any more. None where nothing was learned.
    """
    current, _, _ = await learned(connection, of, NEVER)
    if current is None:
        return None
    since = 0
    for row in await connection.fetch(SQL["begun"], *of):
        began = unpack_lesson(row["lesson"])
        if isinstance(began, Began) and not began.model:
            since = row["seq"] - 1
    return await _taught_since(connection, of, Learner(current.priors), since, (NEVER, 0))


async def _taught_since(
    connection: Connection, of: tuple[str, int], learner: Learner, since: int, until: tuple[int, int]
) -> Learner:
    """The learner after all lessons between, wherever others have begun."""
    rows = await connection.fetch(SQL["lessons_between"], *of, since, *until)
    for count, found in enumerate(rows, start=1):
        lesson = unpack_lesson(found["lesson"])
        if not isinstance(lesson, Began):
            taught(learner, lesson)
        if count % LESSONS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return learner
