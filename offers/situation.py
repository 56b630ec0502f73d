"""What the gates look at, and how they answer."""

from datetime import datetime

import msgspec

from offers.catalogue import Catalogue, Store
from offers.hours import HOUR_US, QuietHours, local_time
from offers.moment import Moment
from offers.shopper import Contact, Shopper

#: An offer made before a visit counts as made in it when she enters within this time.
AHEAD_US = HOUR_US

#: Whether the gate lets pass, and why in words.
Verdict = tuple[bool, str]


class GateResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one gate said."""

    code: str
    passed: bool
    detail: str


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gates look at."""

    moment: Moment
    shopper: Shopper
    catalogue: Catalogue
    now_us: int
    store: Store | None  #: None: not in the catalogue
    store_local: datetime  #: the naive wall clock at the store
    shopper_zone: str  #: of the shopper's clock: hers, else the store's, else the retailer's

    @classmethod
    def of(cls, moment: Moment, shopper: Shopper, catalogue: Catalogue, now_us: int) -> "Situation":
        store = catalogue.stores.get(moment.store)
        store_zone = (store.timezone if store is not None else None) or catalogue.settings.timezone
        return cls(
            moment=moment,
            shopper=shopper,
            catalogue=catalogue,
            now_us=now_us,
            store=store,
            store_local=local_time(now_us, store_zone),
            shopper_zone=shopper.preferences.timezone or store_zone,
        )

    @property
    def country(self) -> str | None:
        """Whose public holidays opening hours mean."""
        own = self.store.country if self.store is not None else None
        return own or self.catalogue.settings.country

    @property
    def quiet_hours(self) -> tuple[QuietHours | None, QuietHours | None]:
        """The retailer's and her own, by her clock."""
        return self.catalogue.settings.quiet_hours, self.shopper.preferences.quiet_hours

    def in_visit(self, contact: Contact) -> bool:
        """Whether the offer was made at this store in the visit that the moment is of.

        Where fences of one store overlap, her open visits to them are one. An offer made as she came near
        is of the visits that begin within the hour.
        """
        if contact.store != self.moment.store:
            return False
        visits_us = (self.moment.entered_at_us, *self.moment.also_entered_us)
        if contact.ahead:
            return any(0 <= entered_us - contact.entered_at_us <= AHEAD_US for entered_us in visits_us)
        return contact.entered_at_us in visits_us


def result(code: str, verdict: Verdict) -> GateResult:
    passed, detail = verdict
    return GateResult(code=code, passed=passed, detail=detail)


def rounded_m(distance_m: float) -> int:
    """A distance as it is told: to 10 m."""
    return 10 * round(distance_m / 10)
