"""What offers have given out and what went out today, locked for one micro-batch.

These are the answers a decision gets from outside its shopper's own state. They are locked rows, so they are
exact under any race, and they are recorded in the receipt, so a replay gets the same ones.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from offers.budget import Budget, Cap, Given, bears, begins_us, free_share, purse, purses
from offers.catalogue import Catalogue
from offers.decision import Decision
from offers.moment import Moment
from server import sealing_keys
from server.clock import from_us
from server.db import Connection
from server.redeem import Answer, Move
from server.sql import queries
from server.writes import Writes, columns

SQL = queries("engine")

#: An offer and one of its purses.
PurseKey: TypeAlias = tuple[str, str]
#: An offer, a shopper, and from when her coupons of it count.
ShopperKey: TypeAlias = tuple[str, str, int]


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whose budget is asked for, and where."""

    store: str
    shopper_id: str


class Pooled(msgspec.Struct, frozen=True, gc=False):
    """A code of a pool."""

    hash: bytes
    sealed: bytes  #: for `server.codes.opened` …
    key: bytes  #: … by this one of the retailer's keys


class Ledgers:
    """The live `Answers` of a batch. Not for replay: that has the answers that were recorded."""

    def __init__(self, catalogue: Catalogue, now_us: int) -> None:
        self._catalogue = catalogue
        self._now_us = now_us
        self._places: dict[str, Place] = {}  #: by moment
        self._given: dict[PurseKey, Given] = {}
        self._had: dict[ShopperKey, Given] = {}
        self._sent: Counter[str] = Counter()
        self._codes: dict[str, list[Pooled]] | None = None  # free ones, by pool; None: pools have no end
        self._moved: dict[PurseKey, Move] = {}  #: by what tills did in this batch
        self.taken: dict[PurseKey, Given] = {}  #: what this batch issues
        self.codes: dict[str, Pooled] = {}  #: by decision, those of pools that it gives out
        self.counted: Counter[str] = Counter()  #: scope -> offers this batch decides

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        now_us: int,
        places: Mapping[str, Place],
        given: Mapping[PurseKey, Given],
        sent: Mapping[str, int],
        *,
        had: Callable[[ShopperKey], Given] = lambda _: Given(),
    ) -> "Ledgers":
        """Given what went out of the purses and to shoppers, and what went out today by scope."""
        ledgers = cls(catalogue, now_us)
        ledgers._places, ledgers._sent = dict(places), Counter(sent)
        purses = {key for place in places.values() for key in ledgers._purses_at(place.store)}
        ledgers._given = {key: given.get(key, Given()) for key in purses}
        ledgers._had = {key: had(key) for place in places.values() for key in ledgers._shares_of(place)}
        return ledgers

    @classmethod
    async def lock(
        cls,
        connection: Connection,
        retailer_id: str,
        catalogue: Catalogue,
        places: Mapping[str, Place],
        tills: Iterable[Answer] = (),
        *,
        now_us: int,
    ) -> "Ledgers":
        """Locks the rows that decisions on these moments may ask for, and those that tills have moved, in one
        order, until the commit.
        """
        ledgers = cls(catalogue, now_us)
        for one in (answer.moved for answer in tills if answer.moved is not None):
            for key in ((one.offer, name) for name in one.purses):
                ledgers._moved[key] = ledgers._moved.get(key, Move()) + one.by
        ledgers._places = dict(places)
        stores = sorted({place.store for place in places.values()})
        wanted = sorted({key for store in stores for key in ledgers._purses_at(store)})
        if wanted or ledgers._moved:
            await ledgers._lock_purses(connection, retailer_id, wanted)
        if shoppers := sorted({key for place in places.values() for key in ledgers._shares_of(place)}):
            await ledgers._count_shoppers(connection, retailer_id, shoppers)
        await ledgers._lock_codes(connection, retailer_id, stores)
        day = from_us(now_us).date()
        scopes = sorted(scope for store in (*stores, None) if (scope := scope_of(store, catalogue)))
        if stores and scopes:
            await connection.execute(SQL["open_quotas"], retailer_id, day, scopes)
            rows = await connection.fetch(SQL["lock_quotas"], retailer_id, day, scopes)
            ledgers._sent = Counter({row["scope"]: row["sent"] for row in rows})
        return ledgers

    async def _lock_codes(self, connection: Connection, retailer_id: str, stores: list[str]) -> None:
        """As many codes of each pool as decisions might want; none that another batch is looking at."""
        wanted = {offer.code.pool for store in stores for offer in self._catalogue.offers_at(store)} - {None}
        self._codes = {}
        if wanted:
            pools = sorted(str(pool) for pool in wanted)
            rows = await connection.fetch(SQL["lock_codes"], retailer_id, pools, len(self._places))
            keys = await sealing_keys.every(connection, retailer_id) if rows else {}
            for row in rows:
                code = Pooled(row["code_hash"], row["sealed"], keys[row["sealed_by"]])
                self._codes.setdefault(row["pool"], []).append(code)

    async def _lock_purses(self, connection: Connection, retailer_id: str, wanted: list[PurseKey]) -> None:
        if wanted:
            now = from_us(self._now_us)
            await connection.execute(SQL["open_ledgers"], retailer_id, *columns(wanted), now)
        both = columns({*wanted, *self._moved})
        for row in await connection.fetch(SQL["lock_ledgers"], retailer_id, *both):
            key = (row["offer"], row["purse"])
            by = self._moved.get(key, Move())
            held, spend = by.outstanding + by.redeemed, by.reserved + by.committed
            self._given[key] = given_of(row) + Given(held=held, spend=spend)

    async def _count_shoppers(
        self, connection: Connection, retailer_id: str, shoppers: list[ShopperKey]
    ) -> None:
        """What she has had is what her coupons say. Whoever would issue one holds the offer's own ledger."""
        offers, names, since = zip(*shoppers, strict=True)
        asked = (list(range(len(shoppers))), list(offers), list(names), [from_us(at_us) for at_us in since])
        for row in await connection.fetch(SQL["given_to_shoppers"], retailer_id, *asked):
            given = Given(issued=row["issued"], held=row["held"], spend=row["spend"])
            self._had[shoppers[row["number"]]] = given

    def _zone(self, store: str) -> str:
        found = self._catalogue.stores.get(store)
        return (found.timezone if found is not None else None) or self._catalogue.settings.timezone

    def _purses_at(self, store: str) -> Iterable[PurseKey]:
        for offer in self._catalogue.offers_at(store):
            if offer.budget != Budget():
                for name in purses(offer.budget, store, self._now_us, self._zone(store)):
                    yield offer.external_id, name

    def _shares_of(self, place: Place) -> Iterable[ShopperKey]:
        for offer in self._catalogue.offers_at(place.store):
            for cap in offer.budget.caps:
                if cap.per == "shopper":
                    yield self._shopper_key(cap, offer.external_id, place)

    def _shopper_key(self, cap: Cap, offer: str, place: Place) -> ShopperKey:
        return offer, place.shopper_id, begins_us(cap.period, self._now_us, self._zone(place.store))

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        """Whether the offer's budget bears one more coupon that can cost `spend`, all its caps included."""
        found = self._catalogue.offers[offer]
        if self._codes is not None and found.code.pool is not None and not self._codes.get(found.code.pool):
            return False
        return found.budget == Budget() or all(
            self._bears(cap, offer, self._places[moment_id], spend) for cap in found.budget.all_caps
        )

    def _bears(self, cap: Cap, offer: str, place: Place, spend: Decimal) -> bool:
        zone = self._zone(place.store)
        if cap.per == "shopper":
            return bears(cap, self._had.get(self._shopper_key(cap, offer, place), Given()), spend, Decimal(1))
        key = (offer, purse(cap, place.store, self._now_us, zone))
        given = self._given[key] + self.taken.get(key, Given())
        store = self._catalogue.stores.get(place.store)
        hours = store.opening_hours if store is not None else None
        return bears(cap, given, spend, free_share(cap, self._now_us, zone, hours))

    def quota(self, moment_id: str, scope: str) -> bool:  # noqa: ARG002 - the replay's twin asks by moment
        """Whether one more offer may go out today in this scope ('retailer' or 'store:' and its id)."""
        settings = self._catalogue.settings
        limit = settings.retailer_per_day if scope == "retailer" else settings.store_per_day
        return limit is None or self._sent[scope] + self.counted[scope] < limit

    def take(self, decision: Decision) -> None:
        """Notes what an offer takes, for the decisions after it in this batch and for `write`."""
        if decision.offer is None:
            return
        moment = decision.moment
        place = Place(store=moment.store, shopper_id=moment.shopper_id)
        self.reserve(decision.offer, place, decision.spend)
        pool = self._catalogue.offers[decision.offer].code.pool
        if self._codes is not None and pool is not None:
            self.codes[decision.decision_id] = self._codes[pool].pop()
        for store in (moment.store, None):
            if scope := scope_of(store, self._catalogue):
                self.counted[scope] += 1

    def reserve(self, offer: str, place: Place, spend: Decimal) -> None:
        """Notes one more coupon in every purse that it is counted in."""
        one = Given(issued=1, held=1, spend=spend)
        for name in self.purses_of(offer, place.store):
            self.taken[offer, name] = self.taken.get((offer, name), Given()) + one
        for cap in self._catalogue.offers[offer].budget.caps:
            if cap.per == "shopper":
                key = self._shopper_key(cap, offer, place)
                self._had[key] = self._had.get(key, Given()) + one

    def purses_of(self, offer: str, store: str) -> tuple[str, ...]:
        """The purses in which a coupon is counted that is issued at a store now."""
        return purses(self._catalogue.offers[offer].budget, store, self._now_us, self._zone(store))

    async def write(self, connection: Connection, writes: Writes, retailer_id: str, day: date) -> None:
        """What the batch took, and, at once since it may be of the same purses, what its tills moved."""
        if self._moved:
            moves = [(*key, *msgspec.structs.astuple(by)) for key, by in self._moved.items()]
            await connection.execute(SQL["move_ledgers"], retailer_id, *columns(moves))
        if self.taken:
            rows = [(*key, given.issued, given.spend) for key, given in self.taken.items()]
            writes.add(SQL["reserve_ledgers"], retailer_id, *columns(rows), from_us(self._now_us))
        if self.codes:
            given = [code.hash for code in self.codes.values()]
            writes.add(SQL["give_codes"], retailer_id, given, from_us(self._now_us))
        if self.counted:
            scopes = list(self.counted)
            counts = [self.counted[scope] for scope in scopes]
            writes.add(SQL["count_quotas"], retailer_id, day, scopes, counts)


def places_of(moments: Iterable[Moment]) -> dict[str, Place]:
    """Where and of whom the moments are, by their ids."""
    return {one.moment_id: Place(store=one.store, shopper_id=one.shopper_id) for one in moments}


def given_of(row: Any) -> Given:
    """A row of `ledgers`, by the names of its columns."""
    return Given(
        issued=row["issued"],
        held=row["redeemed"] + row["outstanding"],
        spend=row["spend_committed"] + row["spend_reserved"],
    )


def scope_of(store: str | None, catalogue: Catalogue) -> str | None:
    """The quota's scope for a store (None: the whole retailer), or None where no limit is set."""
    settings = catalogue.settings
    if store is None:
        return "retailer" if settings.retailer_per_day is not None else None
    return f"store:{store}" if settings.store_per_day is not None else None
