"""What an edge asks before it puts anything into Kafka: nothing is stored that is not permitted.

The engine asks all of it again, in its order. An edge remembers consents only while it would hear of a
change, and keeps each retailer's published world, as an engine does, for the sensitive places and the fences'
names.
"""

import msgspec
import numpy as np

from server.admit import Admitted, Refusal, admit_events
from server.admit_pings import SENSITIVE, first_in_a_store, ours, permitted
from server.db import Database
from server.inputs import Input, RecordCrossings, RecordEvents, RecordFixes
from server.kafka.keys import Keys
from server.people import find_record
from server.records import Record
from server.sql import queries
from server.world import World
from server.worlds import Worlds

SQL = queries("kafka")

REMEMBERED_MOST = 50_000  #: shoppers


class Doorstep:
    """Of one edge."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys  #: what is let in is sealed with one of them
        self._records: dict[tuple[str, str], Record | None] = {}
        self._worlds: dict[str, Worlds] = {}
        self.hears = False  #: whether it would hear of a change

    def forget(self, retailer_id: str, shopper_id: str) -> None:
        """She may permit something else by now, or be gone."""
        self._records.pop((retailer_id, shopper_id), None)
        self._keys.forget(retailer_id, shopper_id)

    def heard(self, payload: str) -> None:
        """Likewise, as it is told: retailer, a blank, shopper."""
        retailer_id, _, shopper_id = payload.partition(" ")
        self.forget(retailer_id, shopper_id)

    def blind(self) -> None:
        """Nothing is heard any more."""
        self.hears = False
        self._records.clear()
        self._keys.forget_all()
        for worlds in self._worlds.values():
            worlds.published()

    def published(self, retailer_id: str) -> None:
        """Something of the retailer's was published."""
        if retailer_id in self._worlds:
            self._worlds[retailer_id].published()

    async def world(self, retailer_id: str, *, newest: bool = False) -> World:
        """What is published: with `newest` the very newest, however long that takes to make."""
        worlds = self._worlds.setdefault(retailer_id, Worlds(retailer_id, self._database))
        if newest or not worlds.looked:
            async with self._database.transaction(retailer_id) as connection:
                row = await connection.fetchrow(SQL["published"], retailer_id)
            assert row is not None, "the caller's key is a retailer's"
            move = worlds.exactly if newest else worlds.at
            return await move(row["version"], row["secret"])
        assert worlds.current is not None
        return worlds.current

    async def let_in(self, retailer_id: str, item: Input) -> tuple[Admitted, Input | None, list[int]]:
        """What is refused of an input here, what is left of it, and which of its parts that is."""
        if not isinstance(item, RecordFixes | RecordEvents | RecordCrossings):
            return Admitted(), item, []
        record = await self._record(retailer_id, item.shopper_id)
        if record is None or record.device(item.device_id) is None:  # it may have come just now, elsewhere
            self.forget(retailer_id, item.shopper_id)
            record = await self._record(retailer_id, item.shopper_id)
        if record is None or record.device(item.device_id) is None:
            return refused(item, "unknown_device"), None, []
        if isinstance(item, RecordEvents):
            admitted, left = admit_events(item, record)
            out = {one.index for one in admitted.refusals}
            return admitted, left, [n for n in range(len(item.events)) if n not in out]
        if isinstance(item, RecordCrossings):
            if not record.shopper.permits("nearby_offers", item.received_at_us):
                return refused(item, "no_consent"), None, []
            return Admitted(), item, list(range(len(item.crossings)))
        if not permitted(item, record):
            return refused(item, "no_consent"), None, []
        return without_sensitive(item, await self.world(retailer_id))

    async def _record(self, retailer_id: str, shopper_id: str) -> Record | None:
        name = (retailer_id, shopper_id)
        if name in self._records:
            return self._records[name]
        record = await find_record(self._database, retailer_id, shopper_id)
        if self.hears:
            if len(self._records) >= REMEMBERED_MOST:
                self._records.clear()
            self._records[name] = record
        return record


def without_sensitive(item: RecordFixes, world: World) -> tuple[Admitted, RecordFixes | None, list[int]]:
    """A ping without its fixes at sensitive places, and without reports of fences that nobody published."""
    fixes = item.fixes
    lat_deg = np.array([fix.lat_deg for fix in fixes], np.float64)
    lon_deg = np.array([fix.lon_deg for fix in fixes], np.float64)
    dropped: list[int] = []
    if len(world.sensitive) and len(fixes):
        somewhere = np.flatnonzero((np.abs(lat_deg) <= 90) & (np.abs(lon_deg) <= 180))
        covered = world.sensitive.covers(lat_deg[somewhere], lon_deg[somewhere], item.received_at_us)
        dropped = somewhere[covered].tolist()
    if not dropped:
        if item.reports:
            item = msgspec.structs.replace(item, reports=ours(item, world))
        return Admitted(), item, list(range(len(fixes)))
    left = [n for n in range(len(fixes)) if n not in set(dropped)]
    last = dropped[-1] == len(fixes) - 1
    at = first_in_a_store(lat_deg[dropped], lon_deg[dropped], world)
    item = msgspec.structs.replace(
        item,
        fixes=tuple(fixes[n] for n in left),
        sensitive_at_us=None if at is None else fixes[dropped[at]].fixed_at_us,
        in_sensitive=last,
        reports=() if last else ours(item, world),
    )
    refusals = tuple(Refusal(index=n, reason=SENSITIVE) for n in dropped)
    return Admitted(refusals=refusals), item, left


def refused(item: Input, reason: str) -> Admitted:
    """Nothing of an input is taken: said of each fix, event or crossing."""
    if isinstance(item, RecordFixes):
        count = max(len(item.fixes), 1)
    elif isinstance(item, RecordEvents):
        count = len(item.events)
    else:
        count = len(item.crossings) if isinstance(item, RecordCrossings) else 0
    return Admitted(refusals=tuple(Refusal(index=n, reason=reason) for n in range(count)))


def together(here: Admitted, there: Admitted, places: list[int]) -> Admitted:
    """What the doorstep and the engine have said of an input, by its own places."""
    later = [
        msgspec.structs.replace(one, index=places[one.index] if one.index < len(places) else one.index)
        for one in there.refusals
    ]
    refusals = tuple(sorted([*here.refusals, *later], key=lambda one: one.index))
    return Admitted(accepted=there.accepted, refusals=refusals, next=there.next)
