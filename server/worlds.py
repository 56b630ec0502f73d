"""The worlds of one retailer as a pipeline moves through them: each made of the last one.

A publication costs what it changed. Fences that were edited are kept apart from the bulk of them, which makes
an edit cheap and, as edits pile up, every match a little dearer: then all are indexed anew in a thread, and
what was edited meanwhile is edited again in the new index.
"""

import asyncio
from typing import Any

from geo.fences.roll import Roll
from geo.index import FenceSet
from geo.problem import GeoError
from offers.problem import OffersError
from server.db import Connection, DatabaseUnfit
from server.publish import load_changes, load_published
from server.world import World


class Worlds:
    """Where a pipeline has its world from."""

    def __init__(self, retailer_id: str) -> None:
        self._retailer_id = retailer_id
        self.current: World | None = None  #: the one the newest batch was judged by
        self.roll = Roll()  #: numbers the fences of all of them
        self._unusable: tuple[int, str] | None = None  # a version that could not be built, and why
        self._folding: asyncio.Task[FenceSet] | None = None
        self._edited: dict[str, Any] = {}  # geofences changed since folding began, by external id

    async def at(self, connection: Connection, version: int, secret: bytes) -> World:
        """The world at a version. Raises DatabaseUnfit where what is published as that cannot be used."""
        if self.current is None or self.current.version != version:
            await self._move_to(connection, version, secret)
        assert self.current is not None
        self.current = await self._folded(self.current)
        return self.current

    async def _move_to(self, connection: Connection, version: int, secret: bytes) -> None:
        if self._unusable is None or self._unusable[0] != version:
            try:
                self.current = await self._made(connection, version, secret)
            except (OffersError, GeoError) as error:
                self._unusable = (version, f"what is published as version {version} cannot be used: {error}")
            else:
                return
        raise DatabaseUnfit(self._unusable[1])

    async def _made(self, connection: Connection, version: int, secret: bytes) -> World:
        """The world at a version, made in a thread."""
        known, name = self.current, self._retailer_id
        if known is None or known.version > version:
            self._folding = None
            bodies = await load_published(connection, name, version)
            return await asyncio.to_thread(World.build, name, secret, version, bodies, roll=self.roll)
        changes = await load_changes(connection, name, known.version, version)
        world = await asyncio.to_thread(known.next, version, changes)
        self._edited |= changes.get("geofence", {})
        return world

    async def _folded(self, world: World) -> World:
        """The world, with its fences indexed anew when that has ended; begins it where it is worth it."""
        if self._folding is None:
            if world.fences.worth_folding:
                self._edited = {}
                self._folding = asyncio.create_task(asyncio.to_thread(world.fences.folded))
            return world
        if not self._folding.done():
            return world
        folding, self._folding = self._folding, None
        return await asyncio.to_thread(world.refenced, folding.result(), self._edited)
