"""Where fences overlap one store speaks: of those with something to say, the one whose fence fits best."""

import itertools
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.fence import Circle, Fence
from geo.index import FenceSet
from geo.transition import DeviceState, Presence
from offers.catalogue import Catalogue
from offers.decision import Decision
from offers.event import Event
from offers.moment import Moment, Whereabouts, moments_from_event
from offers.overlap import in_order, most_specific, with_overlaps
from offers.remember import remembered
from offers.shopper import Shopper
from server.device import Device
from server.phones import Phones
from server.pings import Pings
from server.records import Record, slot_of
from server.turn import Turn, decide_all
from server.world import World
from tests.unit.offers.scene import (
    MOMENT,
    NOON_US,
    OFFER,
    SALT,
    STORE,
    Granting,
    catalogue,
    changed,
    decided,
    presence,
    shopper,
    sighting,
    stranger,
)

#: Fences around one place, the smallest first; each belongs to a store of the same name.
RADII = {"shop": 30.0, "floor": 80.0, "mall": 300.0}


def published(*offers: str, radii: dict[str, float] = RADII, **settings: Any) -> World:
    """Nested fences; the stores named have an offer on trainers of their own."""
    stores = tuple(changed(STORE, external_id=name) for name in radii)
    own = [changed(OFFER, external_id=f"{store}-15", stores=(store,)) for store in offers]
    fences = [
        Fence(
            external_id=f"{name}-fence",
            store=name,
            shape=Circle(lat_deg=STORE.lat_deg, lon_deg=STORE.lon_deg, radius_m=radius_m),
        )
        for name, radius_m in radii.items()
    ]
    settings = {"shopper_per_day": 9, "shopper_per_week": 9} | settings
    nothing = World.build("ret_1", SALT, 7, {})
    return changed(
        nothing,
        catalogue=catalogue(*own, stores=stores, **settings) if own else Catalogue.build(stores),
        fences=FenceSet.build(fences, version=7),
    )


def enter(store: str, **changes: Any) -> Moment:
    told = {"moment_id": f"mom_{store}", "store": store, "geofence": f"{store}-fence"}
    return changed(MOMENT, **{**told, "trigger": "enter", **changes})


def in_visit(store: str, **changes: Any) -> Presence:
    return presence(store, **{"entered_at_us": MOMENT.entered_at_us, **changes})


def outcomes(
    moments: list[Moment], world: World, who: Shopper | None = None, present: tuple[str, ...] = tuple(RADII)
) -> dict[str, tuple[str, ...]]:
    """The reasons of each moment's silence by its store (none: an offer), of a device in these stores."""
    return {one.moment.store: one.reasons for one in decisions(moments, world, who, present)}


def decisions(
    moments: list[Moment], world: World, who: Shopper | None = None, present: tuple[str, ...] = tuple(RADII)
) -> list[Decision]:
    state = DeviceState(present=tuple(map(in_visit, present)), recent=(sighting(NOON_US),))
    record = Record(shopper=who or shopper(), devices=(Device(device_id="dev_1"),))
    phones = Phones(world.fences.roll)
    phones.put(slot_of(phones, record, "dev_1"), state)
    turn = Turn(
        admitted=[],
        asked=[],
        answers=[],
        inputs=[],
        pings=Pings.of(()),
        slots=np.zeros(0, np.int32),
        kept=[],
        known={"shp_1": record},
        records={"shp_1": record},
        phones=phones,
        moved=set(),
        seen=[],
        retracted=[],
        moments=moments,
    )
    return decide_all(turn, moments, world, Granting(), now_us=NOON_US)


def test_the_innermost_store_speaks_and_the_others_say_who_has() -> None:
    world = published("shop", "floor", "mall")
    for order in itertools.permutations(RADII):
        told = decisions([enter(store) for store in order], world)
        assert [one.moment.store for one in told] == ["shop", "floor", "mall"]
        assert [one.reasons for one in told] == [(), ("overlapped",), ("overlapped",)]
        details = [gate.detail for gate in told[2].gates if gate.code == "overlapped"]
        assert details == ["shop has spoken here"]


def test_a_store_with_nothing_to_say_leaves_it_to_the_next() -> None:
    told = outcomes([enter(store) for store in RADII], published("floor", "mall"))
    assert told == {"shop": ("no_candidate",), "floor": (), "mall": ("overlapped",)}


def test_when_nobody_has_anything_to_say_nobody_is_overlapped() -> None:
    told = outcomes([enter(store) for store in RADII], published("shop", "mall"), who=stranger())
    assert told == {"shop": ("no_interest",), "floor": ("no_candidate",), "mall": ("no_interest",)}


def test_of_fences_of_one_size_the_nearer_store_speaks_and_then_the_first_by_id() -> None:
    world = published("b", "a", "c", radii={"b": 50.0, "a": 50.0, "c": 50.0})
    moments = [enter("b", distance_m=20.0), enter("a", distance_m=20.0), enter("c", distance_m=5.0)]
    assert [one.moment.store for one in decisions(moments, world, present=())] == ["c", "a", "b"]


def test_one_look_brings_one_offer_however_many_stores_she_is_in() -> None:
    look = {"trigger": "view", "at_us": NOON_US, "moment_id": ...}
    moments = [enter(store, **look | {"moment_id": f"look_{store}"}) for store in ("mall", "floor")]
    assert outcomes(moments, published("floor", "mall")) == {"floor": (), "mall": ("overlapped",)}


def test_one_look_brings_one_offer_on_all_her_devices() -> None:
    look = {"trigger": "view", "at_us": NOON_US}
    moments = [enter("shop", **look), enter("mall", **look, device_id="dev_2")]
    assert outcomes(moments, published("shop", "mall")) == {"shop": (), "mall": ("overlapped",)}


def test_another_shoppers_offer_silences_nobody() -> None:
    moments = [enter("shop"), enter("mall", shopper_id="shp_2", device_id="dev_2")]
    records = {
        name: Record(shopper=changed(shopper(), shopper_id=name), devices=()) for name in ("shp_1", "shp_2")
    }
    world = published("shop", "mall")
    turn = Turn(
        admitted=[],
        asked=[],
        answers=[],
        inputs=[],
        pings=Pings.of(()),
        slots=np.zeros(0, np.int32),
        kept=[],
        known=records,
        records=records,
        phones=Phones(world.fences.roll),
        moved=set(),
        seen=[],
        retracted=[],
        moments=moments,
    )
    told = decide_all(turn, moments, world, Granting(), now_us=NOON_US)
    assert [one.outcome for one in told] == ["offer", "offer"]


def after_an_offer_of(store: str, world: World) -> Shopper:
    [first] = decisions([enter(store)], world, present=(store,))
    assert first.outcome == "offer"
    return remembered(shopper(), first)


def later(store: str, trigger: str) -> Moment:
    at_us = MOMENT.at_us + 60_000_000
    return enter(store, moment_id=f"later_{store}", trigger=trigger, at_us=at_us, received_at_us=at_us)


def test_a_wider_fence_stays_silent_while_she_is_with_the_store_that_has_spoken() -> None:
    world = published("shop", "mall")
    who = after_an_offer_of("shop", world)
    for trigger in ("enter", "dwell"):
        assert outcomes([later("mall", trigger)], world, who) == {"mall": ("overlapped",)}


def test_a_wider_fence_may_speak_once_she_has_left_the_store_that_has_spoken() -> None:
    world = published("shop", "mall")
    who = after_an_offer_of("shop", world)
    assert outcomes([later("mall", "dwell")], world, who, present=("mall",)) == {"mall": ()}


def test_a_nested_store_may_speak_although_the_one_around_it_has() -> None:
    world = published("shop", "mall")
    who = after_an_offer_of("mall", world)
    assert outcomes([later("shop", "enter")], world, who) == {"shop": ()}


def test_what_she_looks_at_later_may_bring_up_a_wider_fence() -> None:
    world = published("shop", "mall")
    who = after_an_offer_of("shop", world)
    assert outcomes([later("mall", "view")], world, who) == {"mall": ()}


def test_an_offer_of_an_earlier_visit_silences_nobody() -> None:
    world = published("shop", "mall")
    who = after_an_offer_of("shop", world)
    moment = later("mall", "enter")
    here = [whereabouts("shop", entered_at_us=MOMENT.entered_at_us + 1)]
    told = with_overlaps(moment, here, who, None, fences=world.fences, catalogue=world.catalogue)
    assert told.overlapped_by is None


def test_whoever_is_in_the_holdout_has_one_ghost_a_step() -> None:
    told = decisions([enter("shop"), enter("mall")], published("shop", "mall", holdout=1.0))
    assert [one.reasons for one in told] == [("holdout",), ("overlapped",)]
    assert [one.ghost is not None for one in told] == [True, False]


def test_a_silent_moment_in_a_sensitive_place_names_no_store_that_has_spoken() -> None:
    sensitive = enter("", geofence="", moment_id="s", trigger="sensitive_place", sensitive=True)
    told = decisions([enter("shop"), sensitive], published("shop"))
    assert [one.reasons for one in told] == [(), ("sensitive_place",)]
    assert all("shop" not in gate.detail for gate in told[1].gates)


def whereabouts(store: str, device_id: str = "dev_1", **changes: Any) -> Whereabouts:
    return Whereabouts(device_id=device_id, presence=in_visit(store, **changes), seen=sighting(NOON_US))


def test_two_fences_of_one_store_are_one_visit() -> None:
    world = published("shop")
    who = after_an_offer_of("shop", world)
    here = [whereabouts("shop"), whereabouts("shop", geofence="door", entered_at_us=NOON_US)]
    for trigger in ("enter", "view"):
        moment = enter("shop", geofence="door", entered_at_us=NOON_US, trigger=trigger, at_us=NOON_US)
        told = with_overlaps(moment, here, who, None, fences=world.fences, catalogue=world.catalogue)
        assert decided(told, who, world.catalogue).reasons == ("already_offered",)


def test_a_look_counts_for_the_most_specific_of_a_stores_fences() -> None:
    world = published(radii={"shop": 30.0, "mall": 300.0})
    here = [whereabouts("shop", geofence="mall-fence"), whereabouts("shop", geofence="shop-fence")]
    best = most_specific(here, world.fences, world.catalogue)
    event = Event(kind="view", at_us=NOON_US, sku="trainers")
    who = {"retailer_id": "ret_1", "shopper_id": "shp_1", "received_at_us": NOON_US}
    [moment] = moments_from_event(event, best, world.catalogue, **who)
    assert moment.geofence == "shop-fence"


@given(
    st.lists(
        st.tuples(st.sampled_from(["dev_1", "dev_2"]), st.sampled_from(sorted(RADII)), st.floats(0, 500)),
        max_size=8,
        unique_by=lambda one: one[:2],
    )
)
def test_the_order_in_which_moments_came_makes_no_difference(causes: list[tuple[str, str, float]]) -> None:
    fences = published().fences
    moments = [
        enter(store, device_id=device, shopper_id=device, distance_m=distance_m)
        for device, store, distance_m in causes
    ]

    def by_device(ordered: list[Moment]) -> dict[str, list[Moment]]:
        return {name: [m for m in ordered if m.device_id == name] for name in ("dev_1", "dev_2")}

    told = by_device(in_order(moments, fences))
    assert told == by_device(in_order(moments[::-1], fences))
    for group in told.values():
        radii = [RADII[moment.store] for moment in group]
        assert radii == sorted(radii)


@given(st.sets(st.sampled_from(sorted(RADII)), min_size=1), st.sets(st.sampled_from(sorted(RADII))))
def test_one_step_brings_one_offer_at_the_most(entered: set[str], speaking: set[str]) -> None:
    told = outcomes([enter(store) for store in sorted(entered)], published(*sorted(speaking)))
    able = [store for store in RADII if store in entered & speaking]
    assert [store for store, reasons in told.items() if not reasons] == able[:1]
