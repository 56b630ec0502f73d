"""A fleet in columns says what each device by itself would have been told."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import engine
from geo.engine import FixBatch, Fleet, sense, state_of
from geo.fence import Circle, Fence
from geo.fences.roll import Roll
from geo.fix import SECOND_US, Fix
from geo.index import FenceSet
from geo.packed import Packed, pack, unpack
from geo.transition import Rules, Transition
from tests.unit.geo.walks import LAT, LON, METRES_PER_DEGREE

FENCES = FenceSet.build(
    [
        Fence(external_id="shop", store="s", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=50.0)),
        Fence(
            external_id="mall", store="m", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=120.0), dwell_s=30
        ),
        Fence(
            external_id="door", store="s", shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=12.0), dwell_s=0
        ),
        Fence(
            external_id="sale",
            store="m",
            shape=Circle(lat_deg=LAT, lon_deg=LON, radius_m=60.0),
            valid_from_us=500 * SECOND_US,
            valid_until_us=1500 * SECOND_US,
        ),
    ]
)
MODES = [Rules(mode="exact"), Rules(), Rules(lateness_s=60.0, presence_timeout_s=200.0)]

fixes = st.builds(
    lambda at_s, north_m, accuracy_m, speed_mps: Fix(
        lat_deg=LAT + north_m / METRES_PER_DEGREE,
        lon_deg=LON,
        fixed_at_us=at_s * SECOND_US,
        accuracy_m=accuracy_m,
        speed_mps=speed_mps,
    ),
    at_s=st.integers(0, 3000),
    north_m=st.sampled_from(
        [0.0, 10.0, 13.0, 49.0, 51.0, 70.0, 119.0, 121.0, 200.0, 400.0, -400.0, 70_000.0]
    ),
    accuracy_m=st.sampled_from([None, 5.0, 20.0, 60.0, 2000.0]),
    speed_mps=st.sampled_from([None, None, 1.0, 30.0]),
)


def follow(
    batches: list[list[tuple[int, Fix]]], rules: Rules, few: int, monkeypatch: pytest.MonkeyPatch
) -> object:
    """Everything told of some devices, and the states they are left in."""
    monkeypatch.setattr(engine, "FEW", few)
    monkeypatch.setattr("geo.compact.SLACK_LEAST", 0)
    fleet = Fleet(FENCES.roll)
    slots = [fleet.add(str(device)) for device in range(4)]
    heard: dict[int, list[tuple[str, Transition]]] = {slot: [] for slot in slots}
    for batch in batches:
        told = sense(fleet, FixBatch.of((slots[device], fix) for device, fix in batch), FENCES, rules)
        for slot, transitions in told.by_slot().items():
            heard[slot] += [("told", rounded(one)) for one in transitions]
        for slot, one in told.retracted():
            heard[slot].append(("retracted", rounded(one)))
    states = [state_of(fleet, slot, FENCES, rules) for slot in slots]
    # What goes into a row must not depend on who else was in a batch either.
    return heard, states, [pack(fleet, slot) for slot in slots]


def rounded(one: Transition) -> Transition:
    """With no more digits of its figures than columns keep."""
    speed = None if one.speed_mps is None else float(np.float32(one.speed_mps))
    return msgspec.structs.replace(
        one, speed_mps=speed and round(speed, 3), confidence=round(float(np.float32(one.confidence)), 6)
    )


@pytest.mark.parametrize("rules", MODES, ids=["exact", "accurate", "short"])
@given(data=st.data())
def test_rounds_say_what_walks_say(rules: Rules, data: st.DataObject) -> None:
    track = data.draw(st.lists(st.tuples(st.integers(0, 3), fixes), min_size=1, max_size=40))
    if data.draw(st.booleans()):
        track.sort(key=lambda pair: pair[1].fixed_at_us)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(track)), max_size=4)))
    batches = [track[a:b] for a, b in zip([0, *cuts], [*cuts, len(track)], strict=True)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert follow(batches, rules, 0, monkeypatch) == follow(batches, rules, 1000, monkeypatch)


@pytest.mark.parametrize("rules", MODES, ids=["exact", "accurate", "short"])
@given(data=st.data())
def test_a_device_that_was_packed_and_unpacked_goes_on_as_if_it_had_not_been(
    rules: Rules, data: st.DataObject
) -> None:
    track = data.draw(st.lists(fixes, min_size=1, max_size=30))
    cut = data.draw(st.integers(0, len(track)))
    fleet = Fleet(FENCES.roll)
    slot = fleet.add("phone")
    for fix in track[:cut]:
        sense(fleet, FixBatch.of([(slot, fix)]), FENCES, rules)
    packed = pack(fleet, slot)
    other = Fleet(Roll())
    other.add("somebody")
    twin = unpack(other, "phone", msgspec.msgpack.decode(msgspec.msgpack.encode(packed), type=Packed))
    assert pack(other, twin) == packed
    elsewhere = FenceSet.build((FENCES.fence(place) for place in FENCES.places().tolist()), roll=other.roll)
    for fix in track[cut:]:
        told = sense(fleet, FixBatch.of([(slot, fix)]), FENCES, rules)
        again = sense(other, FixBatch.of([(twin, fix)]), elsewhere, rules)
        assert list(told.by_slot().values()) == list(again.by_slot().values())
    assert pack(fleet, slot) == pack(other, twin)
