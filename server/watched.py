"""Which circles each phone watches: what it was told last, so that it is told only what changed."""

import hashlib
from collections.abc import Sequence

import msgspec

from geo.region import Watch
from geo.reported import Report
from server.clients.heard import Heard
from server.clients.regions import NOTHING, RIM_NAME, Change, Circle, changed
from server.db import Database
from server.sql import queries

SQL = queries("phones")
REMEMBERED_MOST = 50_000  #: devices

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[Circle, ...])


class Held(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a phone watches, as far as is known."""

    circles: tuple[Circle, ...] = ()
    by: bytes = b""  #: the request whose answer told it last …
    told: Change = NOTHING  #: … and what that answer told


class Watched:
    """Of all devices that are told regions by an ingest answer.

    The circles of fences are kept in the database, those around the phone itself in memory alone: they hold
    its position. After a restart these are told again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[tuple[str, str], Held] = {}

    async def tell(
        self, retailer_id: str, device_id: str, heard: Heard, watch: Sequence[Watch], body: bytes
    ) -> Change:
        """What this answer has to tell. A request that comes again (its answer was lost) gets the same."""
        if not heard.fixes:
            return NOTHING
        held, request = await self._get(retailer_id, device_id), hashlib.sha256(body).digest()[:16]
        if held.by == request:
            return held.told
        newest = max(heard.fixes, key=lambda fix: fix.fixed_at_us)
        change = changed(held.circles, watch, (newest.lat_deg, newest.lon_deg))
        if change.put or change.gone:
            if _lasting(change.all) != _lasting(held.circles):
                await self._save(retailer_id, device_id, change.all)
            self._held[retailer_id, device_id] = Held(circles=change.all, by=request, told=change)
        return change

    async def name_numbers(self, retailer_id: str, device_id: str, heard: Heard) -> None:
        """Makes reports by number reports by name; those of regions that are not ours are the user's own."""
        if heard.waypoints:
            held = await self._get(retailer_id, device_id)
            names = {circle.number: circle.name for circle in held.circles}
            heard.reports += [
                Report(geofence=names[number], kind=kind, at_us=at_us)
                for number, kind, at_us in heard.waypoints
                if number in names
            ]
        heard.reports = [one for one in heard.reports if one.geofence != RIM_NAME]

    def forget(self, retailer_id: str, device_id: str) -> None:
        """The device is somebody else's, or nobody's: what it holds is known from its row, if at all."""
        self._held.pop((retailer_id, device_id), None)

    async def _get(self, retailer_id: str, device_id: str) -> Held:
        name = (retailer_id, device_id)
        if name not in self._held:
            if len(self._held) >= REMEMBERED_MOST:
                self._held.clear()
            async with self._database.transaction(retailer_id) as connection:
                packed = await connection.fetchval(SQL["watched_of"], retailer_id, device_id)
            self._held[name] = Held(circles=() if packed is None else _decoder.decode(packed))
        return self._held[name]

    async def _save(self, retailer_id: str, device_id: str, circles: tuple[Circle, ...]) -> None:
        async with self._database.transaction(retailer_id) as connection:
            packed = _encoder.encode(_lasting(circles))
            await connection.execute(SQL["put_watched"], retailer_id, device_id, packed)


def _lasting(circles: tuple[Circle, ...]) -> tuple[Circle, ...]:
    return tuple(circle for circle in circles if not circle.moving)
