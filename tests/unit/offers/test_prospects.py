"""All offers of a store, judged at once, are judged as each is by itself."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offers.candidate_gates import CANDIDATE_GATES
from offers.catalogue import Discount, Limits, Offer
from offers.conditions import Conditions, Segments, Traits
from offers.event import Event
from offers.hours import DAY_US, HOUR_US
from offers.preferences import Preferences
from offers.prospects import MASKS, Prospects
from offers.rack import UNKNOWN_PRICE
from offers.relevance import Interest, named_product
from offers.shopper import Contact, Shopper, with_offer, with_preferences, with_redemption, with_traits
from offers.situation import Situation
from tests.unit.offers.scene import (
    MOMENT,
    NOON_US,
    OFFER,
    STORE,
    TRAINERS,
    catalogue,
    changed,
    interests_in,
    shopper,
)

SKUS = [f"p{number}" for number in range(6)]
CATEGORIES = [("Shoes", "Trainers"), ("Shoes", "Boots"), ("Hats",)]

PRODUCTS = tuple(
    changed(
        TRAINERS,
        sku=sku,
        name=f"Thing {number}",
        category=CATEGORIES[number % 3],
        price=Decimal(10 + number) if number % 4 else None,
        currency="EUR" if number % 4 else None,
        stock=(None, 0, 3)[number % 3],
        stock_at={"mall": 0} if number == 5 else {},
        cost=Decimal(7) if number % 2 else None,
        stores=("mall",) if number % 5 else ("elsewhere",),
    )
    for number, sku in enumerate(SKUS)
)

SCOPES: list[dict[str, Any]] = [
    {"skus": None},
    {"skus": None, "categories": (("Shoes",),)},
    {"skus": None, "categories": (("Hats",),)},
    {"skus": ("p1",)},
    {"skus": ("p1", "p2", "p5")},
    {"skus": ("gone", "p4")},
]
DISCOUNTS = [
    Discount(kind="percent", value=Decimal(0)),
    Discount(kind="percent", value=Decimal("12.5")),
    Discount(kind="amount", value=Decimal(3)),
    Discount(kind="price", value=Decimal(12)),
]


CONDITIONS = [
    *[Conditions()] * 4,
    Conditions(segments=Segments(tiers=("gold",))),
    Conditions(exclusive_group="group"),
    Conditions(margin_floor_percent=Decimal(20)),
]


@st.composite
def offers(draw: st.DrawFn, number: int) -> Offer:
    return changed(
        OFFER,
        external_id=f"offer-{number}",
        discount=draw(st.sampled_from(DISCOUNTS)),
        valid_until_us=NOON_US + draw(st.sampled_from([-1, 1, DAY_US])),
        schedule=draw(st.sampled_from([None, "Mo-Fr 10:00-20:00", "Sa 10:00-20:00"])),
        limits=draw(st.sampled_from([Limits(), Limits(per_shopper=1), Limits(per_shopper_per_day=1)])),
        prior_response=draw(st.sampled_from([None, 0.2])),
        status=draw(st.sampled_from(["live", "live", "live", "paused"])),
        conditions=draw(st.sampled_from(CONDITIONS)),
        **draw(st.sampled_from(SCOPES)),
    )


EVENTS = st.lists(
    st.builds(
        Event,
        kind=st.sampled_from(["view", "cart", "wishlist", "search", "directions"]),
        at_us=st.integers(NOON_US - 8 * HOUR_US, NOON_US - 1),
        sku=st.sampled_from([*SKUS, "gone", None]),
        category=st.sampled_from([*CATEGORIES, None]),
        query=st.sampled_from(["thing", "shoes", None]),
        store=st.sampled_from(["mall", "elsewhere", None]),
    ),
    max_size=6,
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A store with up to seven offers, and a shopper with any past."""
    published = catalogue(
        *[draw(offers(number)) for number in range(draw(st.integers(1, 7)))],
        products=PRODUCTS,
        stores=(changed(STORE, categories=draw(st.sampled_from([(), ("Shoes",)]))),),
    )
    known: Shopper = shopper(*draw(EVENTS), personalisation=draw(st.sampled_from([True, True, True, False])))
    names = st.sampled_from([f"offer-{number}" for number in range(7)])
    for name in draw(st.lists(names, max_size=3)):
        contact = Contact(
            decision_id=name,
            at_us=NOON_US - draw(st.sampled_from([HOUR_US, 2 * DAY_US])),
            store="mall",
            offer=name,
            entered_at_us=draw(st.sampled_from([0, MOMENT.entered_at_us])),
        )
        known = with_offer(known, contact)
    for name in draw(st.lists(names, max_size=2)):
        known = with_redemption(known, name, at_us=NOON_US - HOUR_US)
    wishes = Preferences(
        muted_categories=draw(st.sampled_from([(), ("Shoes > Boots",)])),
        minimum_percent=draw(st.sampled_from([None, 0.0, 12.5, 20.0])),
    )
    known = with_traits(known, Traits(tier=draw(st.sampled_from([None, "gold"]))))
    trigger = draw(st.sampled_from(["enter", "view", "how_to"]))
    moment = changed(MOMENT, trigger=trigger)
    return Situation.of(moment, with_preferences(known, wishes), published, NOON_US)


@settings(deadline=None)
@given(situations())
def test_every_gate_says_of_all_what_it_says_of_each(at: Situation) -> None:
    found = Prospects(at)
    for code, gate in CANDIDATE_GATES:
        each = [gate(at, found.prospect(place))[0] for place in range(len(found))]
        assert found.masks[code].tolist() == each, code


@settings(deadline=None)
@given(situations())
def test_interest_and_product_are_those_of_each_by_itself(at: Situation) -> None:
    found, store = Prospects(at), at.moment.store
    interests = interests_in(at.shopper.interests, at.catalogue, store, NOON_US) if found.personal else {}
    for place, offer in enumerate(found.rack.offers):
        own = interests.get(offer.external_id, Interest())
        assert found.interest(place) == own
        assert found.prospect(place).product == named_product(offer, own, at.catalogue, store)


@settings(deadline=None)
@given(situations())
def test_what_the_columns_show_is_what_the_candidates_are(at: Situation) -> None:
    found = Prospects(at)
    for place in range(len(found)):
        candidate = found.candidate(place, None)
        assert (candidate.sku or "") == found.sku(place)
        price = UNKNOWN_PRICE if candidate.price is None else float(candidate.price)
        assert found.shown.column("price")[place] == price


def test_there_is_one_mask_for_each_gate_in_the_same_order() -> None:
    assert [*MASKS] == [code for code, _ in CANDIDATE_GATES]
