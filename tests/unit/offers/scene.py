"""The story in small: a store, trainers on its shelf, an offer on them, and a shopper who looked at them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from geo.transition import Presence, Sighting, Transition
from offers.catalogue import Catalogue, Discount, Message, Offer, Product, Store
from offers.consent import PURPOSES, Consent
from offers.decide import decide
from offers.decision import Decision
from offers.event import Event
from offers.hours import DAY_US, HOUR_US, SECOND_US, microseconds
from offers.interest import Interests
from offers.moment import Moment
from offers.relevance import Evidence, Interest, spoken_for
from offers.settings import Settings
from offers.shopper import Shopper, with_consents, with_event

#: A Friday, noon in Helsinki.
NOON_US = microseconds(datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
SALT = b"a retailer's secret"

STORE = Store(
    external_id="mall",
    name="Mall",
    lat_deg=60.17,
    lon_deg=24.94,
    timezone="Europe/Helsinki",
    opening_hours="Mo-Sa 10:00-20:00",
)
TRAINERS = Product(
    sku="trainers",
    name="Trainers",
    category=("Shoes", "Trainers"),
    price=Decimal("89.90"),
    currency="EUR",
    stock=3,
)
OFFER = Offer(
    external_id="trainers-15",
    name="Trainers week",
    discount=Discount(kind="percent", value=Decimal(15)),
    skus=("trainers",),
    valid_from_us=NOON_US - 10 * DAY_US,
    valid_until_us=NOON_US + 10 * DAY_US,
    messages={"en": Message(title="{discount} off the {product}", body="at {distance_m} m, until {until}")},
)
MOMENT = Moment(
    moment_id="mom_1",
    shopper_id="shp_1",
    device_id="dev_1",
    store="mall",
    geofence="mall-fence",
    trigger="enter",
    at_us=NOON_US - SECOND_US,
    received_at_us=NOON_US,
    entered_at_us=NOON_US - SECOND_US,
    distance_m=41.0,
    speed_mps=1.2,
    accuracy_m=12.0,
)


class Granting:
    """Answers that grant everything but what is named, and remember what they were asked."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[tuple[str, str]] = []

    def quota(self, moment_id: str, scope: str) -> bool:
        del moment_id
        self.asked.append(("quota", scope))
        return scope not in self.refused

    def budget(self, moment_id: str, offer: str, spend: Decimal) -> bool:
        del moment_id, spend
        self.asked.append(("budget", offer))
        return offer not in self.refused


def changed(value: Any, **changes: Any) -> Any:
    """The frozen struct with some fields otherwise."""
    return msgspec.structs.replace(value, **changes)


def catalogue(
    *offers: Offer,
    stores: tuple[Store, ...] = (STORE,),
    products: tuple[Product, ...] = (TRAINERS,),
    version: int = 7,
    **settings: Any,
) -> Catalogue:
    """What the retailer publishes: the offer on trainers unless others are given."""
    return Catalogue.build(stores, products, offers or (OFFER,), Settings(**settings), version)


def view(sku: str = "trainers", *, hours_ago: float = 3.0, **about: Any) -> Event:
    return Event(kind="view", at_us=NOON_US - round(hours_ago * HOUR_US), sku=sku, **about)


def stranger(**consents: bool) -> Shopper:
    """A shopper who granted everything yesterday, but for what is named, and has not browsed."""
    granted: Mapping[Any, Consent] = {
        purpose: Consent(granted=consents.get(purpose, True), at_us=NOON_US - DAY_US, locale="en")
        for purpose in PURPOSES
    }
    return with_consents(Shopper(shopper_id="shp_1"), granted)


def shopper(*events: Event, **consents: bool) -> Shopper:
    """A shopper who looked at the trainers three hours ago, or did what is given."""
    known = stranger(**consents)
    for event in events or (view(),):
        known = with_event(known, event, now_us=max(event.at_us, NOON_US - DAY_US))
    return known


def decided(
    moment: Moment = MOMENT,
    who: Shopper | None = None,
    published: Catalogue | None = None,
    answers: Granting | None = None,
    now_us: int = NOON_US,
) -> Decision:
    """The decision at noon; without changes it is the offer on the trainers."""
    return decide(
        moment,
        who if who is not None else shopper(),
        published if published is not None else catalogue(),
        answers if answers is not None else Granting(),
        salt=SALT,
        now_us=now_us,
    )


def transition(kind: Any = "enter", **changes: Any) -> Transition:
    told = Transition(
        kind=kind,
        geofence="mall-fence",
        store="mall",
        at_us=NOON_US - SECOND_US,
        lat_deg=60.1704,
        lon_deg=24.94,
        entered_at_us=NOON_US - SECOND_US,
        speed_mps=1.2,
        accuracy_m=12.0,
    )
    return msgspec.structs.replace(told, **changes)


def sighting(at_us: int) -> Sighting:
    return Sighting(at_us=at_us, lat_deg=60.1704, lon_deg=24.94, speed_mps=0.5)


def presence(store: str = "mall", *, seconds_ago: float = 30, **changes: Any) -> Presence:
    at_us = NOON_US - round(seconds_ago * SECOND_US)
    told = Presence(
        geofence=f"{store}-fence",
        store=store,
        entered_at_us=NOON_US - 60 * SECOND_US,
        entered_lat_deg=60.1704,
        entered_lon_deg=24.94,
        supported_at_us=at_us,
        confidence=1.0,
    )
    return msgspec.structs.replace(told, **changes)


def interests_in(interests: Interests, published: Catalogue, store: str, now_us: int) -> dict[str, Interest]:
    """Her interest in each offer of the store that any trace speaks for, by offer id, trace by trace."""
    found: dict[str, list[Evidence]] = {}
    repeated: set[str] = set()
    for trace in interests.traces:
        level = trace.level(now_us)
        for offer_id, sku in spoken_for(trace, interests, published, store).items():
            found.setdefault(offer_id, []).append(Evidence(trace=trace, level=level, sku=sku))
            if trace.repeated(now_us):
                repeated.add(offer_id)
    return {
        offer_id: Interest(
            level=sum(part.level for part in evidence),
            repeated=offer_id in repeated,
            evidence=tuple(sorted(evidence, key=lambda part: (-part.level, part.trace.kind, part.trace.key))),
        )
        for offer_id, evidence in found.items()
    }
