"""The worlds of one retailer as a pipeline moves through them: each made of the last one.

A publication costs what it changed. While the next world is being made batches go on by the current one;
small publications are worth waiting for. Fences that were edited are kept apart from the bulk of them, which
makes an edit cheap and, as edits pile up, every match a little dearer: then all are indexed anew in a thread,
and what was edited meanwhile is edited again in the new index.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from geo.fences.roll import Roll
from geo.index import FenceSet
from geo.problem import GeoError
from offers.problem import OffersError
from server.db import Database, DatabaseUnfit
from server.letting_go import let_go
from server.publish import load_changes, load_published
from server.world import World

PATIENCE_S = 0.012  #: so long a batch waits for a newer world
MANY = 1_000  #: geofences, more of which differ: whom that concerns is looked up before a batch waits for it

T = TypeVar("T")


async def _nobody(_world: World) -> None:
    """Nobody has shoppers whom a world might concern."""


class Worlds:
    """Where a pipeline has its world from."""

    def __init__(
        self, retailer_id: str, database: Database, *, on_made: Callable[[], None] = lambda: None
    ) -> None:
        self._retailer_id = retailer_id
        self._database = database
        self._on_made = on_made
        #: Given a world with many other geofences, before it is the current one.
        self.look_ahead: Callable[[World], Awaitable[None]] = _nobody
        self.current: World | None = None  #: the one the newest batch was judged by
        self.roll = Roll()  #: numbers the fences of all of them
        self._looked = False  # whether nothing has changed since the newest version was asked for
        self._unusable: tuple[int, str] | None = None  # a version that could not be built, and why
        self._making: asyncio.Task[World] | None = None
        self._folding: asyncio.Task[FenceSet] | None = None
        self._edited: dict[str, Any] = {}  # geofences changed since folding began, by external id

    @property
    def looked(self) -> bool:
        """Whether there is a world, and nothing has changed since the newest version was asked for."""
        return self._looked and self.current is not None

    @property
    def newest(self) -> bool:
        """Whether the current one is that of the newest version."""
        return self.looked and self._making is None

    def published(self) -> None:
        """Something was published."""
        self._looked = False

    async def at(self, version: int, secret: bytes) -> World:
        """The world at a version, or for as long as that takes more than `PATIENCE_S` to make, the current.

        Raises DatabaseUnfit where what is published as that cannot be used.
        """
        self._looked = True
        patience_s = None if self.current is None else PATIENCE_S
        await self._move(version, secret, patience_s)
        return await self._with_folded()

    async def exactly(self, version: int, secret: bytes) -> World:
        """The world at a version, however long it takes to make. Raises DatabaseUnfit."""
        await self._move(version, secret, None)
        return await self._with_folded()

    async def _move(self, version: int, secret: bytes, patience_s: float | None) -> None:
        while self._making is not None or self.current is None or self.current.version != version:
            if self._making is None:
                self._making = self._begun(self._made(version, secret))
            made = self._making
            await asyncio.wait({made}, timeout=patience_s)
            if not made.done():
                return
            if self._making is made:  # else somebody else who waited for it has taken it
                self._making = None
                self.current = await made

    async def _with_folded(self) -> World:
        """The current world, its fences indexed anew where that has ended."""
        assert self.current is not None
        world = self.current
        folded = await self._folded(world)
        if self.current is world:  # else somebody else has moved on meanwhile
            self.current = folded
        return self.current

    async def _made(self, version: int, secret: bytes) -> World:
        """The world at a version, made in a thread."""
        if self._unusable is None or self._unusable[0] != version:
            try:
                return await self._make(version, secret)
            except (OffersError, GeoError) as error:
                self._unusable = (version, f"what is published as version {version} cannot be used: {error}")
        raise DatabaseUnfit(self._unusable[1])

    async def _make(self, version: int, secret: bytes) -> World:
        known, name = self.current, self._retailer_id
        async with self._database.transaction(name) as connection:
            if known is None or known.version > version:
                self._folding = None
                bodies = await load_published(connection, name, version)
                changes = None
            else:
                changes = await load_changes(connection, name, known.version, version)
        if known is None or changes is None:
            return await asyncio.to_thread(World.build, name, secret, version, bodies, roll=self.roll)
        world = await asyncio.to_thread(known.next, version, changes)
        self._edited |= changes.get("geofence", {})
        if len(changes.get("geofence", {})) > MANY:
            await self.look_ahead(world)
        return world

    def _begun(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begins work after which there may be a newer world."""
        task = asyncio.create_task(work)

        def done(ended: asyncio.Task[T]) -> None:
            self.published()
            if not ended.cancelled() and ended.exception() is None:
                self._on_made()

        task.add_done_callback(done)
        return task

    async def _folded(self, world: World) -> World:
        """The world, with its fences indexed anew when that has ended; begins it where it is worth it."""
        if self._folding is None:
            if world.fences.worth_folding:
                edited, self._edited = self._edited, {}
                self._folding = self._begun(_fold(world.fences, edited))
            return world
        if not self._folding.done():
            return world
        folding, self._folding = self._folding, None
        return await asyncio.to_thread(world.refenced, folding.result(), self._edited)


async def _fold(fences: FenceSet, edited: dict[str, Any]) -> FenceSet:
    """The fences indexed anew; what was edited in them before is of no use any more."""
    await let_go(edited)
    return await asyncio.to_thread(fences.folded)
