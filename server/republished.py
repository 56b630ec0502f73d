"""Whom a publication concerns: shoppers in a fence that was moved or taken away, or put around them.

Their visits end or begin with the publication, not with their next fix, which may be long in coming. So when
a pipeline first uses a newer version it lets the timers of these shoppers be due; the lane then wakes them,
as it does for a dwell, and the journal has their `Wake` like any other. For which version that has been done
is told by the journal's newest entry: after a crash it is done again. Waking somebody for nothing does
nothing.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import SHORTEST_MERIDIAN_DEGREE_M, FloatArray, IndexArray
from geo.fix import SECOND_US
from geo.index import FenceSet
from geo.region import HEARTBEAT_S
from geo.transition import Rules
from server.clock import from_us
from server.db import Connection
from server.parts import Part
from server.publish import changed_among, changed_ids, settings_at
from server.sql import queries
from server.world import World, rules_of_body

SQL = queries("republished")

#: A phone reports at least every heartbeat: by a newest fix older than that and a minute, nobody is anywhere.
FRESH_US = round((HEARTBEAT_S + 60) * SECOND_US)

#: Who of those in memory has a fresh newest fix in one of these geofences, or in any (None): by geofence.
Inside = Callable[[FenceSet, set[str] | None], Awaitable[dict[str, set[str]]]]

#: Of so many geofences it pays to name them all: who is not at their latitudes need not be looked at.
_FEW = 1_000
_ROWS_AT_ONCE = 1_000


class Ahead(msgspec.Struct, kw_only=True, eq=False):
    """Whom a world concerns that no batch was judged by yet."""

    of: tuple[tuple[int, Rules], int]  #: since which version, with its rules, and the world's
    shopper_ids: set[str] = msgspec.field(default_factory=set)  #: and who has moved since they were found
    complete: bool = False


class Republished:
    """Of one part of a retailer's shoppers: up to which version everybody concerned has been woken."""

    def __init__(self, retailer_id: str, part: Part) -> None:
        self._retailer_id = retailer_id
        self._part = part
        self._settled: tuple[int, Rules] | None = None  # a version and its rules; None: the journal knows
        self._ahead: Ahead | None = None

    async def look_ahead(self, connection: Connection, world: World, inside: Inside) -> None:
        """Finds them before the world's first batch, which then need not wait for that: of many geofences it
        takes long.
        """
        self._ahead = None
        if self._settled is not None and self._settled[0] < world.version:
            ahead = Ahead(of=(self._settled, world.version))
            self._ahead = ahead  # from now on it is told of whoever moves
            ahead.shopper_ids |= await self._found(connection, ahead.of[0], world, inside)
            ahead.complete = True

    def moved(self, shopper_ids: Iterable[str]) -> None:
        """A batch has committed after which their devices may be elsewhere."""
        if self._ahead is not None:
            self._ahead.shopper_ids.update(shopper_ids)

    async def concerned(self, connection: Connection, world: World, inside: Inside) -> set[str]:
        """The shoppers to be woken by the first batch of this world; nobody by those that follow."""
        settled, ahead = self._settled or await self._journaled(connection), self._ahead
        if settled is None or settled[0] >= world.version:  # nobody has been anywhere yet; or it is done
            return set()
        if ahead is not None and ahead.complete and ahead.of == (settled, world.version):
            return set(ahead.shopper_ids)
        return await self._found(connection, settled, world, inside)

    async def _found(
        self, connection: Connection, settled: tuple[int, Rules], world: World, inside: Inside
    ) -> set[str]:
        since, before = settled
        versions = since, world.version
        changed = await changed_ids(connection, self._retailer_id, "geofence", versions, most=_FEW + 1)
        many = len(changed) > _FEW
        if before.presence_timeout_s != world.rules.presence_timeout_s:
            visiting = await connection.cursor(SQL["all_visitors"], self._retailer_id)
        elif many:
            visiting = await connection.cursor(SQL["visitors_of_changed"], self._retailer_id, *versions)
        elif changed:
            visiting = await connection.cursor(SQL["visitors"], self._retailer_id, list(changed))
        else:
            return set()
        ours: set[str] = set()
        while rows := await visiting.fetch(_ROWS_AT_ONCE):
            names = (row["shopper_id"] for row in rows)
            ours.update(name for name in names if self._part.holds(self._retailer_id, name))
        found = await inside(world.fences, None if many else changed)
        if many:
            changed = await changed_among(connection, self._retailer_id, "geofence", versions, found)
        return ours.union(*(shoppers for geofence, shoppers in found.items() if geofence in changed))

    def settle(self, world: World) -> None:
        """A batch of that world has committed."""
        self._settled = (world.version, world.rules)
        self._ahead = None

    def forget(self) -> None:
        """Whether it has is not known."""
        self._settled = self._ahead = None

    async def _journaled(self, connection: Connection) -> tuple[int, Rules] | None:
        """What the newest batch was judged by; None where nothing is journaled any more."""
        version = await connection.fetchval(SQL["judged_version"], self._retailer_id, self._part.number)
        if version is None:
            return None
        return version, rules_of_body(await settings_at(connection, self._retailer_id, version))


async def wake_now(
    connection: Connection, retailer_id: str, shopper_ids: Collection[str], now_us: int
) -> None:
    """Lets the timers of these shoppers be due, in the batch's transaction and after it has set others."""
    if shopper_ids:
        await connection.execute(SQL["wake_shoppers"], retailer_id, list(shopper_ids), from_us(now_us))


def points_inside(
    fences: FenceSet, geofences: set[str] | None, lat_deg: FloatArray, lon_deg: FloatArray, now_us: int
) -> tuple[npt.NDArray[np.intp], IndexArray]:
    """Which of many points lie in one of these geofences now (None: in any), and the numbers of those.

    Pairs, ascending by point. What is gone holds nobody.
    """
    near = np.arange(len(lat_deg)) if geofences is None else _near(fences, geofences, lat_deg)
    matched, place = fences.match(lat_deg[near], lon_deg[near], np.full(len(near), now_us))
    point, number = near[matched], fences.number[place]
    if geofences is None:
        return point, number
    these = [one for one in np.unique(number).tolist() if fences.roll.external_id(one) in geofences]
    among = np.isin(number, these)
    return point[among], number[among]


def _near(fences: FenceSet, geofences: set[str], lat_deg: FloatArray) -> npt.NDArray[np.intp]:
    """The points between the southernmost and the northernmost of some geofences."""
    numbers = [number for geofence in geofences for number in fences.roll.numbers_of(geofence)]
    place = fences.place_of_number(np.array(numbers, np.int32))
    circles = [fences.circle(one) for one in place[place >= 0].tolist()]
    if not circles:
        return np.empty(0, np.intp)
    south = min(circle.lat_deg - circle.radius_m / SHORTEST_MERIDIAN_DEGREE_M for circle in circles)
    north = max(circle.lat_deg + circle.radius_m / SHORTEST_MERIDIAN_DEGREE_M for circle in circles)
    return np.flatnonzero((lat_deg >= south) & (lat_deg <= north))
