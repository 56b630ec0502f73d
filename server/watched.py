"""Which circles each phone watches: what it was told last, so that it is told only what changed."""

import hashlib
import math

import msgspec

from geo.fix import Fix
from geo.reported import Report
from server.clients.heard import Heard
from server.clients.regions import LEAST_RIM_M, NOTHING, RIM_NAME, Change, Circle, changed
from server.db import Database
from server.hints import LONGEST_DEGREE_M, Glance, at_a_glance, watched_by
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
    fences: bytes | None = None  #: the fences of the newest hint, as they stood in it
    rim: Circle | None = None  #: one of the circles


class Watched:
    """Of all devices that are told regions by an ingest answer.

    The circles of fences are kept in the database, those around the phone itself in memory alone: they hold
    its position. After a restart these are told again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[tuple[str, str], Held] = {}

    async def tell(self, retailer_id: str, device_id: str, heard: Heard, hint: bytes, body: bytes) -> Change:
        """What this answer has to tell. A request that comes again (its answer was lost) gets the same."""
        if not heard.fixes:
            return NOTHING
        newest, request = max(heard.fixes, key=lambda fix: fix.fixed_at_us), request_of(body)
        if self.unchanged(retailer_id, device_id, newest, hint, request):
            return NOTHING
        held = await self._get(retailer_id, device_id)
        if held.by == request:
            return held.told
        change = changed(held.circles, watched_by(hint), (newest.lat_deg, newest.lon_deg))
        by, told = held.by, held.told
        if change.put or change.gone:
            by, told = request, change
            if _lasting(change.all) != _lasting(held.circles):
                await self._save(retailer_id, device_id, change.all)
        rim = next((circle for circle in change.all if circle.name == RIM_NAME), None)
        fences = at_a_glance(hint).fences
        self._held[retailer_id, device_id] = Held(
            circles=change.all, by=by, told=told, fences=fences, rim=rim
        )
        return change

    def unchanged(self, retailer_id: str, device_id: str, fix: Fix, hint: bytes, request: bytes) -> bool:
        """Whether a glance at the hint says that there is nothing to tell: the same fences, and the phone is
        inside the rim that it watches. False may be wrong.
        """
        held = self._held.get((retailer_id, device_id))
        if held is None or held.fences is None or held.by == request:
            return False
        seen = at_a_glance(hint)
        return held.fences == seen.fences and _rim_holds(held.rim, fix, seen)

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


def request_of(body: bytes) -> bytes:
    """What a request is known again by."""
    return hashlib.sha256(body).digest()[:16]


def _rim_holds(rim: Circle | None, fix: Fix, seen: Glance) -> bool:
    """Whether what a phone has for a rim will do: none where it is too small to be watched."""
    if rim is None or seen.after_m < LEAST_RIM_M:
        return rim is None and seen.after_m < LEAST_RIM_M
    north_deg, east_deg = fix.lat_deg - rim.lat_deg, fix.lon_deg - rim.lon_deg
    return math.hypot(north_deg, east_deg) * LONGEST_DEGREE_M <= rim.radius_m


def _lasting(circles: tuple[Circle, ...]) -> tuple[Circle, ...]:
    return tuple(circle for circle in circles if not circle.moving)
