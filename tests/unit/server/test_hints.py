"""A safe region that is carried over promises no more than one found anew."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.engine import FixBatch, sense
from geo.fix import Fix
from geo.region import safe_region
from server.hints import Hints
from server.phones import Phones
from server.world import World

SHOP = (60.1686, 24.9419)
BODIES = {
    "store": {"s": {"external_id": "s", "name": "Shop", "lat": SHOP[0], "lon": SHOP[1]}},
    "geofence": {
        f"f{n}": {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [SHOP[1] + n * 0.01, SHOP[0]]},
            "properties": {"external_id": f"f{n}", "store": "s", "radius": 100},
        }
        for n in range(3)
    },
}


@pytest.fixture(scope="module")
def world() -> World:
    return World.build("r", b"secret", 1, BODIES)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-800, 800), st.floats(-800, 800)), min_size=2, max_size=12))
def test_a_region_carried_over_lies_within_the_one_found_anew(
    world: World, places: list[tuple[float, float]]
) -> None:
    phones = Phones(world.fences.roll)
    hints, slot, slots = Hints(phones), phones.add("phone"), np.zeros(1, np.int32)
    for step, (north_m, east_m) in enumerate(places):
        fix = Fix(
            lat_deg=SHOP[0] + north_m / 111_400,
            lon_deg=SHOP[1] + east_m / 55_400,
            fixed_at_us=(step + 1) * 600_000_000,
            accuracy_m=5.0,
        )
        sense(phones, FixBatch.of([(slot, fix)]), world.fences, world.rules)
        [told] = hints.json(slots, [False], world)

        hint = msgspec.json.decode(told)
        seen = phones.newest(slot)
        assert seen is not None
        doubted = bool(phones.devices.get_one(slot).doubts)
        anew = safe_region(seen, phones.present(slot), world.fences, world.rules, believed=not doubted)
        # What is wrong by the measure of distance is taken off both.
        assert hint["after_m"] <= anew.after_m + 1e-6
        assert hint["within_s"] <= anew.within_s + 1e-6
        if hint["after_m"]:
            rim = hint["watch"][0]
            assert (rim["geofence_id"], rim["radius_m"]) == ("", hint["after_m"])
            assert (rim["lat"], rim["lon"]) == (fix.lat_deg, fix.lon_deg)


def test_phones_of_one_batch_are_told_what_each_would_be_alone(world: World) -> None:
    phones = Phones(world.fences.roll)
    slots = np.array([phones.add(f"phone {number}") for number in range(100)], np.int32)
    places = [(SHOP[0] + 10 * (number - 50) / 111_400, SHOP[1]) for number in range(100)]
    fixes = [Fix(lat_deg=lat, lon_deg=lon, fixed_at_us=60_000_000, accuracy_m=5.0) for lat, lon in places]
    sense(phones, FixBatch.of(zip(slots.tolist(), fixes, strict=True)), world.fences, world.rules)
    ahead = [number % 2 == 0 for number in range(100)]
    together = Hints(phones).json(slots, ahead, world)
    phones.hints.clear()
    alone = [Hints(phones).json(slots[at : at + 1], ahead[at : at + 1], world) for at in range(100)]
    assert [[told] for told in together] == alone


def test_a_phone_that_has_hardly_moved_is_told_what_is_left(world: World) -> None:
    phones = Phones(world.fences.roll)
    hints, slot, slots = Hints(phones), phones.add("phone"), np.zeros(1, np.int32)
    told = []
    for step, north_m in enumerate((500, 510)):
        fix = Fix(lat_deg=SHOP[0] + north_m / 111_400, lon_deg=SHOP[1], fixed_at_us=(step + 1) * 60_000_000)
        sense(phones, FixBatch.of([(slot, fix)]), world.fences, world.rules)
        [body] = hints.json(slots, [False], world)
        told.append(msgspec.json.decode(body))

    first, second = told
    assert first["after_m"] - 10.2 < second["after_m"] < first["after_m"] - 9.9
    assert second["within_s"] == first["within_s"] - 60
    assert second["watch"][1:] == first["watch"][1:]
